"""Evaluate a fine-tuned Whisper and the one that it was made of, on the same clips."""
