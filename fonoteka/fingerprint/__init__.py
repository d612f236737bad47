"""Find recordings of the same sound after conversion, cutting and noise."""
