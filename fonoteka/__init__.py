"""The library of the pipeline, and its commands."""
