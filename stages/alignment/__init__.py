"""When each phone and word begins and ends, by forced alignment."""
