"""Posteriors of the exported models, the ensemble, metrics and the comparison."""
