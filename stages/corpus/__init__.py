"""From recordings to splits: what is recorded, what is accepted, who is in which split."""
