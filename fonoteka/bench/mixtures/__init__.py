"""Which mixture of corpora helps a recogniser on the voices of each corpus."""
