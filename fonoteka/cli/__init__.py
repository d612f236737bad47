"""The commands of `python -m fonoteka`: names, options and help; the work is done elsewhere."""
