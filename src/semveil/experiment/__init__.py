"""A run from recipe to page: its plan, its training, its audit, its folder."""
