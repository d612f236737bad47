"""The stages of the pipeline, one module each, in the rooms that data walks through."""
