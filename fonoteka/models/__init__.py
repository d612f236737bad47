"""Encoders, heads, causal networks and their training."""
