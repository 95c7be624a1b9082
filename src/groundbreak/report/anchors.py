"""Ids of parts of the page, which links lead to."""

from __future__ import annotations

from urllib.parse import quote


def anchor_of(what: str, name: str) -> str:
    """An id of the page, which may hold no spaces.

    Args:
        what: kind of part, such as ``event`` for its card and ``map`` for its outline.
        name: id of the site or event.
    """
    return f"{what}-{quote(name)}"
