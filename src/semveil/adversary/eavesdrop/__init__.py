"""Eve: passive adversaries who infer the label or rebuild the image."""
