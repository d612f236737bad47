"""What a build costs: measured on finished builds, forecast for more hours of speech."""
