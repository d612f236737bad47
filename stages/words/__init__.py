"""Stages of word recognition: Whisper's weights, fine-tuning and evaluation."""
