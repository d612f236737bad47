"""The training of phoneme recognisers."""
