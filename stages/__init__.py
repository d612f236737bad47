"""The stages of the pipeline, one module or package per stage, in the order of the data."""

import gc

# torch and transformers create a million objects at their import that live as long as the process.
# By default Python searches them for cycles again and again meanwhile: 0.6 of 3.4 CPU seconds.
gc.set_threshold(100_000, 50, 100)
