"""Active learning simulated on corpora whose transcripts are known."""
