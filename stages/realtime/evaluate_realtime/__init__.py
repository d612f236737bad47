"""Evaluate the small causal models hop by hop."""
