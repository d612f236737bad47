"""Synthesise the embedded corpus, so that the pipeline runs without recordings."""
