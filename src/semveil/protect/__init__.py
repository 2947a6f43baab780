"""Protections laid over any link: noise on its features, permutations, rotations."""
