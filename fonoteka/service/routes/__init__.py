"""The routes of the service; they compute nothing themselves."""
