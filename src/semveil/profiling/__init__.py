"""What systems cost: operations, weights, keystream, processor time, memory."""
