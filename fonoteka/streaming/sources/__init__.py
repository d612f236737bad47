"""Where the sound of a stream comes from: recordings, pipes, microphones; as chunks at 16 kHz."""
