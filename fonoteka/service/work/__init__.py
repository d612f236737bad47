"""Worker processes, on the side of the service: queues, placement, restarts."""
