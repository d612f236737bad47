"""What a person runs that is no stage."""
