"""Trained links on the air: recordings that carry images, and what others do to them."""
