"""Small causal models for an audio thread: features, training, export, evaluation, package."""
