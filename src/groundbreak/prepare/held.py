"""Looks whose scenes cannot be had now: what was prepared of them earlier stands in.

A disk that is not mounted, a server in trouble or an archive that was tidied says nothing of what
the scenes showed. Their prepared looks are still right, and serve as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from odc.geo.geobox import GeoBox

from groundbreak.prepare.acquire import Acquired
from groundbreak.prepare.looks import LookPlan
from groundbreak.prepare.store import LOOK, PIXELS, USABLE, PreparedLook, noted, read_look, unit
from groundbreak.raster.read import read_onto
from groundbreak.types import Box


def find_held(
    folder: Path, plan: LookPlan, unreached: Collection[str], told: Callable[[LookPlan], str]
) -> tuple[LookPlan, PreparedLook] | None:
    """The look that an earlier run prepared from scenes that cannot be had now, if it did.

    Args:
        folder: where the look would be.
        plan: of the look.
        unreached: ids of the scenes that cannot be had.
        told: digest of what catalogue and settings say of a look.

    Returns:
        The plan, of the scenes that the look was prepared from, and the look.
    """
    if not set(unreached).intersection(plan.scene_ids):
        return None
    known = noted(folder)
    if known is None:
        return None
    part = plan.without(set(plan.scene_ids).difference(known.scene_ids))
    if part is None or not set(unreached).intersection(part.scene_ids):
        return None
    if known.told != told(part):
        return None
    look = read_look(folder)
    return (part, look) if look is not None else None


def spared(folder: Path, unreached: Collection[str]) -> frozenset[str]:
    """Ids of the looks that were, or may have been, prepared from scenes that cannot be had now."""
    missing = set(unreached)

    def concerned(look: Path) -> bool:
        known = noted(look)
        # Where that is damaged nobody knows what the look was prepared from.
        return known is None or bool(missing.intersection(known.scene_ids))

    folders = (path.parent for path in folder.glob(f"*/{LOOK}")) if unreached else ()
    return frozenset(look.name for look in folders if concerned(look))


def glance(look: PreparedLook, grid: GeoBox) -> Acquired:
    """A prepared look on another grid, as if it were read from its scenes."""
    pixels, _ = read_onto(look.folder / PIXELS, grid)
    usable = read_onto(look.folder / USABLE, grid, codes=True)[0][0] > 0
    return Acquired(unit(pixels), usable, usable, look.masked, look.bands)


def cut_out(look: PreparedLook, window: Box) -> Acquired:
    """A window of a prepared look, as if it were read from its scenes."""
    usable = look.usable(window.slices)
    return Acquired(look.pixels(window.slices), usable, usable, look.masked, look.bands)
