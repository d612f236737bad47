"""The folder format of a corpus."""
