"""Normalise each text and find its phones."""
