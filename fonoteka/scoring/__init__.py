"""Decoding posteriors and scoring hypotheses."""
