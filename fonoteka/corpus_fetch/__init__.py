"""Fetch public speech corpora by name, at a pinned revision, into data/raw."""
