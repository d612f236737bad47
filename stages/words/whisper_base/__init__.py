"""Get the weights of Whisper as a folder of transformers, from one of three sources."""
