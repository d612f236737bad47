"""Languages described in one file each: letters, phones, numbers, examples; and their checks."""
