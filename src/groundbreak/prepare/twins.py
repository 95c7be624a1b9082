"""The same picture under two dates: it would confirm itself, and one of the dates is wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from groundbreak.prepare.acquire import Acquired
from groundbreak.prepare.known import record
from groundbreak.prepare.looks import LookPlan


@dataclass(frozen=True)
class Picture:
    """What a look shows, in 32 hexadecimal digits: the same for no two pictures that differ."""

    digest: str

    def __post_init__(self) -> None:
        """Refuse what is no digest: damaged ones would be taken for the same picture."""
        if len(bytes.fromhex(self.digest)) != 16:
            raise ValueError(f"digest is {self.digest!r}")


PICTURE = record(Picture)


def picture_of(look: Acquired) -> Picture:
    """The picture of a look on any grid."""
    shown = hashlib.sha256(np.packbits(look.valid).tobytes())
    shown.update(np.where(look.valid, look.pixels, 0).tobytes())
    return Picture(shown.hexdigest()[:32])


def same_pictures(looks: Iterable[tuple[LookPlan, Picture]]) -> list[str]:
    """A note on each picture that there is under several dates.

    Args:
        looks: that take part, each with its picture. One that shows nothing, or one
            colour only, takes no part.
    """
    alike: dict[Picture, list[str]] = {}
    for plan, picture in looks:
        alike.setdefault(picture, []).append(" + ".join(plan.scene_ids))
    return [
        f"{', '.join(names[:-1])} and {names[-1]} show the same pixels under {len(names)} dates: "
        + ("one of them is" if len(names) == 2 else "all but one of them are")
        + " likely wrong"
        for names in alike.values()
        if len(names) > 1
    ]
