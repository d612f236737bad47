"""Fine-tune Whisper on the clips of the training split."""
