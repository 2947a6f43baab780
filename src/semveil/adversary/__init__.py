"""Adversaries: who listens (``eavesdrop``) and who disturbs (``perturb``)."""
