"""Train the recogniser with bounded context."""
