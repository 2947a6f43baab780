"""Kinds of link: bottleneck, digital, encrypted, semantic over OFDM, classical."""
