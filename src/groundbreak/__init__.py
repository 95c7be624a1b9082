"""groundbreak: what was built, torn down or dug at the places you watch, and when."""

__version__ = "0.1.0"
