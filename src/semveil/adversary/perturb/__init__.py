"""Perturbations of the waveform, whoever sends them, at a stated PSR."""
