"""The HTTP and WebSocket service: routes, live streams, models, and the workers that compute."""
