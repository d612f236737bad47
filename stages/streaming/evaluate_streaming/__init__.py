"""Evaluate the recognition of streams."""
