"""The short numbers by which the events of a site are called: on the page, and in the files.

They are a run's own: what is found later shifts them. What lasts is the id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from groundbreak.types import Event

DIGITS = 3
"""Of a confidence that files give: who reads one gives the same numbers."""


def numbers(confidences: Mapping[str, float]) -> dict[str, int]:
    """The numbers of a site's events by their ids, in their order: 1 is the surest.

    Of events that are equally sure that comes first whose id does.

    Args:
        confidences: of all events of one site, by id.
    """
    surest = sorted(confidences, key=lambda name: _rank(name, confidences[name]))
    return {name: number for number, name in enumerate(surest, start=1)}


def numbered(events: Sequence[Event]) -> list[tuple[int, Event]]:
    """Events with their numbers, each site's together and in their order.

    Args:
        events: all of the sites that they are of.
    """
    sites: dict[str, list[Event]] = {}
    for event in events:
        sites.setdefault(event.site_id, []).append(event)
    return [
        (number, event)
        for site in sites.values()
        for number, event in enumerate(sorted(site, key=lambda e: _rank(e.id, e.confidence)), 1)
    ]


def _rank(name: str, confidence: float) -> tuple[float, str]:
    return -round(confidence, DIGITS), name


def runs(found: Sequence[int]) -> str:
    """Numbers in ascending order in few words: ``3, 7–12, 15``."""
    pieces: list[list[int]] = []
    for number in found:
        if pieces and number == pieces[-1][-1] + 1:
            pieces[-1] = [pieces[-1][0], number]
        else:
            pieces.append([number])
    return ", ".join("–".join(map(str, piece)) for piece in pieces)
