"""The recogniser with bounded context: encoder, head, one step of a stream, files."""
