"""What two stages need."""
