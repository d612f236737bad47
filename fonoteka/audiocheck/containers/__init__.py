"""The structure of audio files, checked against their bytes."""
