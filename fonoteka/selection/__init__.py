"""Choose the recordings to transcribe next, and bring their transcripts back."""
