"""Small CTC heads that benchmarks train from the start, many in a run."""
