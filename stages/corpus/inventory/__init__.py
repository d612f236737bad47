"""List what is in data/raw, one row per file, with what is wrong with it."""
