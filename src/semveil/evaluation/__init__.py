"""Evaluation: both protocols for eavesdroppers, robustness to attacks, leakage."""
