"""Compare prefix beam search with the best path, for every model."""
