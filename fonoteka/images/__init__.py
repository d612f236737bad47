"""Container images: build and tag, the packages of the service's image, entry points."""
