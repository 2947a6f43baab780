"""The LDPC codes of 5G: 3GPP TS 38.212, for thousands of codewords at once."""

from semveil.phy.ldpc.code import LdpcCode

__all__ = ["LdpcCode"]
