"""ONNX files, their proofs, and packages of models."""
