"""ONNX files, their parity checks, and packages of models."""
