"""The same picture under two dates: it would confirm itself, and one of the dates is wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from groundbreak.prepare.acquire import Acquired
from groundbreak.prepare.looks import LookPlan


def picture_digest(look: Acquired) -> str:
    """32 hexadecimal digits of what a look shows, the same for no two pictures that differ."""
    shown = hashlib.sha256(np.packbits(look.valid).tobytes())
    shown.update(np.where(look.valid, look.pixels, 0).tobytes())
    return shown.hexdigest()[:32]


def same_pictures(looks: Iterable[tuple[LookPlan, str]]) -> list[str]:
    """A note on each picture that there is under several dates.

    Args:
        looks: that take part, each with the digest of its picture. One that shows nothing, or one
            colour only, takes no part.
    """
    alike: dict[str, list[str]] = {}
    for plan, digest in looks:
        alike.setdefault(digest, []).append(" + ".join(plan.scene_ids))
    return [
        f"{', '.join(names[:-1])} and {names[-1]} show the same pixels under {len(names)} dates: "
        + ("one of them is" if len(names) == 2 else "all but one of them are")
        + " likely wrong"
        for names in alike.values()
        if len(names) > 1
    ]
