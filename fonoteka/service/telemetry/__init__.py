"""Log lines and metrics of requests, connections, workers and models."""
