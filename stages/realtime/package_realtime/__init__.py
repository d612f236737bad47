"""Package the small causal models with what a host needs to run them."""
