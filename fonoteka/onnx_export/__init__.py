"""Export to ONNX, int8 quantisation, and sessions that run the files."""
