"""Sections `gate` of params.yaml."""

NO_MODELS = {"models": [], "each_model": {}, "packages": []}
"""A section that asks nothing; `numbers` is left to the test."""
