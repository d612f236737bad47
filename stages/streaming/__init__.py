"""Stages of the recogniser that runs while a person speaks."""
