"""`repro`: independent stages side by side on DVC's own lock."""
