"""`status`: which stages are stale, and why."""
