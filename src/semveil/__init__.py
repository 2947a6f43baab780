"""semveil."""
