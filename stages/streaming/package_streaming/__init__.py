"""Package the streaming recogniser."""
