"""Recognition of speech while it is spoken: chunks of samples in, phones out."""
