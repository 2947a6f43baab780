"""The classical chain: image codec, channel code, digital modulation; nothing of it is learned."""
