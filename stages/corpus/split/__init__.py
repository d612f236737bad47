"""Assign each utterance to train, valid or test, and each speaker to one of them."""
