"""Published systems by name: one file each."""

from semveil.schemes.base import SCHEMES, Scheme, Variant

__all__ = ["SCHEMES", "Scheme", "Variant"]
