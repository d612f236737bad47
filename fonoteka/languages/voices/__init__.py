"""Speech of a described language by espeak-ng: its voice, a comparison and a small corpus."""
