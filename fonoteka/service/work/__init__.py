"""Workers that compute the answers of the service, and the scheduler that shares them."""
