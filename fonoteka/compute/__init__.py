"""Run the per-clip work of a stage: shards over an executor, results of clips from a cache."""
