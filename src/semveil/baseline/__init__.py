"""The classical chain without learning: image codec, channel code, digital modulation."""
