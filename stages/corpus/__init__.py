"""What we have: recordings, their texts and their parts."""
