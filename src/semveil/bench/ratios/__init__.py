"""One file per ratio, which names it and holds it as ``RATIO``."""
