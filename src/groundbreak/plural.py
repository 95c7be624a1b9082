"""Numbers of things, in figures and words."""

from __future__ import annotations


def counted(number: int, thing: str) -> str:
    """``1 site``, ``2 sites``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
