"""Stages of the recogniser that runs while somebody speaks."""
