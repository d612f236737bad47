"""Encoders, heads and what training them needs."""
