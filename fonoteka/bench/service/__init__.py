"""Load on a running service: short recordings, a long one beside them, live streams, swaps."""
