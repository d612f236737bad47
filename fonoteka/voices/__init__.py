"""Compare voices: an encoder of speakers, pieces of their speech, and nearest pairs of names."""
