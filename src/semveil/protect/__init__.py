"""Protections of any link: noise on its features, permutations, rotations."""

from semveil.protect.base import (
    PROTECTIONS,
    KeyedProtection,
    Mechanism,
    Protection,
    added_symbols,
    check_order,
    check_symbols,
    keyed_transform,
    mechanism,
    protections,
)

__all__ = [
    "PROTECTIONS",
    "KeyedProtection",
    "Mechanism",
    "Protection",
    "added_symbols",
    "check_order",
    "check_symbols",
    "keyed_transform",
    "mechanism",
    "protections",
]
