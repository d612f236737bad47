"""One training in several processes, and its batches in parts."""
