"""Export a Whisper model to ONNX, in fp32 and int8."""
