"""Evaluate endpoint detection on joined utterances with known pauses."""
