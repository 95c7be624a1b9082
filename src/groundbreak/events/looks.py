"""What the events room needs to know of looks, pairs and windows; no pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


class PairKey(NamedTuple):
    """Ids of an earlier and a later look."""

    earlier: str
    later: str


@dataclass(frozen=True)
class LookMeta:
    """A look without its pixels.

    ``start``/``end`` are the outer bounds of its acquisition time: intervals use them.
    ``usable_share`` is the usable share of the whole site, ``clear_share`` that of the part of it
    which the look covers. ``residual_px`` is what is left of the look's shift against the
    reference look, None when unknown; ``aligned`` is False where the shift could not be trusted,
    ``apart`` True where nothing of it lies where the reference look shows it. ``cloud_masked`` is
    False where no delivered mask said which pixels are cloud. ``date_assumed`` marks a date that
    somebody supposed, ``panchromatic`` a picture in shades of grey.
    """

    id: str
    start: datetime
    end: datetime
    scene_ids: tuple[str, ...]
    sensor: str | None = None
    usable_share: float = 1.0
    clear_share: float = 1.0
    residual_px: float | None = None
    aligned: bool = True
    apart: bool = False
    cloud_masked: bool = True
    date_assumed: bool = False
    panchromatic: bool = False

    @property
    def middle(self) -> datetime:
        """Middle of the acquisition time."""
        return self.start + (self.end - self.start) / 2

    @property
    def span(self) -> tuple[datetime, datetime]:
        """Outer bounds of the acquisition time."""
        return self.start, self.end

    @property
    def coarse(self) -> bool:
        """True when the date is known to no better than more than a day."""
        return (self.end - self.start).total_seconds() > 86_400


def in_date_order(looks: Sequence[LookMeta]) -> tuple[LookMeta, ...]:
    """Sort looks by time; the order of equal times is settled by id, so that it never changes."""
    return tuple(sorted(looks, key=lambda look: (look.middle, look.end, look.id)))
