"""The routes for recordings, models and stored files; each module has a `router`."""
