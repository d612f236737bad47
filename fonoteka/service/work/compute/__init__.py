"""What worker processes compute: jobs in turns, streams in pieces."""
