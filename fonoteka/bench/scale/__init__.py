"""Measure how the cost of stages grows with the corpus and the workers."""
