"""Self-training: labels that a model predicts for untranscribed clips, and the gain by them."""
