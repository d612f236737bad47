"""Files and headers in formats of others, which several packages read."""
