"""Train a small causal model on streams."""
