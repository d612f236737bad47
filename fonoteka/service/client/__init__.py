"""A client of the service: files, folders, and live streams from a file or the microphone."""
