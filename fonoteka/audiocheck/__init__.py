"""Decode recordings, and refuse those whose samples cannot be trusted."""
