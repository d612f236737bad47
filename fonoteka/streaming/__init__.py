"""Recognition while somebody speaks: chunks of samples in, committed and provisional phones out."""
