"""Models out and in: links as ONNX graphs, and graphs of others as networks of torch."""
