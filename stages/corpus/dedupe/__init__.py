"""Find recordings that are in the corpora more than once."""
