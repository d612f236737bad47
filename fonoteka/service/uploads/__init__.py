"""Uploads: received within limits, decoded in processes with limits, stored for a time."""
