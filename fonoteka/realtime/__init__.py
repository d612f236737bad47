"""Front end, labels and checks of the causal models."""
