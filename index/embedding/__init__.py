"""Text → unit vectors: the encoder, its ONNX and torch back ends, its projection."""
