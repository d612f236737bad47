"""What models hear: encoders, embeddings and the times of phones."""
