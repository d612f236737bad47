"""Times of spoken digits beside those of pocketsphinx, and the speed of alignment."""
