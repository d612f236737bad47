"""Train a phoneme recogniser on the embeddings of an encoder."""
