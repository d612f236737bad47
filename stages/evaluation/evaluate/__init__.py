"""Evaluate one model on the unseen speakers of the test split."""
