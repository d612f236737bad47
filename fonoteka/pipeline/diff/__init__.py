"""`diff` and `gate`: compare a branch with its base, and refuse a regression."""
