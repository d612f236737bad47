"""Measure the error rates of the comparison of voices."""
