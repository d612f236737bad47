"""Write a model card and the hashes of a model's files."""
