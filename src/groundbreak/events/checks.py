"""Ranges of settings; a value outside of them is a ``ValueError`` that names it."""

from __future__ import annotations


def check_share(name: str, *values: float) -> None:
    """Raise ``ValueError`` unless all values lie between 0 and 1."""
    for value in values:
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"{name} must lie between 0 and 1, got {value:g}")


def check_positive(name: str, *values: float) -> None:
    """Raise ``ValueError`` unless all values are finite and greater than 0."""
    for value in values:
        if not 0.0 < value < float("inf"):
            raise ValueError(f"{name} must be greater than 0, got {value:g}")
