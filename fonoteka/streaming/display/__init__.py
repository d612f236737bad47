"""How the updates of a stream are shown: on a terminal, as plain text, as JSON lines."""
