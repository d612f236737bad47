"""Fetch an encoder at a pinned revision, or pretrain one on the training split."""
