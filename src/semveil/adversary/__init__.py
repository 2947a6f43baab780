"""Adversaries: passive ones (``eavesdrop``) and active ones (``perturb``)."""
