"""When each phone and word of a recording is spoken, and files that state it."""
