"""Download recordings that may be used, and add them to a corpus with their evidence."""
