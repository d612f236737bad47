"""Stages that show results to people."""
