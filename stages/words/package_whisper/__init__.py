"""Write a model card and the hashes of an exported Whisper model's files."""
