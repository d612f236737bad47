"""The stages of the pipeline, one module or package per stage, in the order of the data."""
