"""Scenes → planned looks: what was acquired in one pass is one look. Metadata only."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shapely.affinity import translate
from shapely.geometry.base import BaseGeometry

from groundbreak.raster.bands import STANDS_IN, no_use, panchromatic
from groundbreak.types import Scene, Site

SAME_PASS = timedelta(minutes=15)
"""Neighbouring frames of one overpass are seconds to minutes apart; two satellites of one
constellation pass at least half an hour apart."""

COARSEST_GSD_M = 30.0
"""Beyond this a building is a fraction of a pixel."""

COARSEST_PAN_GSD_M = 1.25
"""Without colour much less is found in coarser pixels: on validation of mshs_bcd (2 m) F1 of change
is 0.27 instead of 0.64, of levir and sejong_k3a at 1 m 0.82 and 0.63 instead of 0.87 and 0.62."""

SLACK = 0.01
"""Sizes are those on the ground, and a projection has a scale: pixels of 30 m in UTM are 30.01 m in
the middle of a zone."""


_LEVELS = ("collection", "processing:level", "s2:product_uri")
_LEVEL_1 = re.compile(r"l1c|l1tp|l1gt|sentinel-2-l1|landsat-c2-?l1", re.IGNORECASE)


@dataclass(frozen=True)
class LookPlan:
    """A look before any pixel was read. ``scenes`` are mosaicked, the first one on top."""

    id: str
    start: datetime
    end: datetime
    scenes: tuple[Scene, ...]
    sensor: str | None
    gsd_m: float | None

    @property
    def middle(self) -> datetime:
        """Middle of the acquisition time."""
        return self.start + (self.end - self.start) / 2

    @property
    def scene_ids(self) -> tuple[str, ...]:
        """Ids of the scenes, the topmost first."""
        return tuple(scene.id for scene in self.scenes)

    def without(self, lost: Collection[str]) -> LookPlan | None:
        """The look without the scenes of these ids, None where nothing is left."""
        kept = tuple(scene for scene in self.scenes if scene.id not in lost)
        return replace(self, scenes=kept) if kept else None

    @property
    def flags(self) -> tuple[str, ...]:
        """What the user must know: the date assumed, or not known to the day; shades of grey."""
        flags = []
        if any(map(in_grey, self.scenes)):
            flags.append("panchromatic")
        if any(scene.properties.get("groundbreak:date_assumed") for scene in self.scenes):
            flags.append("assumed_date")
        if self.end - self.start > timedelta(days=1):
            flags.append("coarse_date")
        return tuple(flags)


@dataclass(frozen=True)
class LeftOut:
    """A scene that takes no part, and why.

    ``unreached``: it is not there or cannot be had now, which says nothing of its content.
    """

    scene: Scene
    reason: str
    unreached: bool = False


def coarser(gsd_m: float, limit_m: float) -> bool:
    """Whether pixels are larger than a limit, by more than the scale of a projection."""
    return gsd_m > limit_m * (1 + SLACK)


def unsuitable(scene: Scene) -> str | None:
    """Why buildings cannot be seen in a scene, None if they can."""
    if scene.gsd_m is not None and coarser(scene.gsd_m, COARSEST_GSD_M):
        return (
            f"pixels of {float(f'{scene.gsd_m:.3g}'):g} m are too coarse for buildings "
            f"(at most {COARSEST_GSD_M:.0f} m)"
        )
    if in_grey(scene):
        if scene.gsd_m is not None and coarser(scene.gsd_m, COARSEST_PAN_GSD_M):
            return (
                f"panchromatic, and pixels of {float(f'{scene.gsd_m:.3g}'):g} m are too coarse for "
                f"buildings in shades of grey (at most {COARSEST_PAN_GSD_M:g} m)"
            )
        return None
    return no_use([asset.bands for asset in scene.assets])


def names_in(scene: Scene) -> set[str | None]:
    """Common names of the bands of a scene, and of those that they stand in for."""
    own = {band.common_name for asset in scene.assets for band in asset.bands}
    return own | {name for name, twins in STANDS_IN.items() if not own.isdisjoint(twins)}


def in_grey(scene: Scene) -> bool:
    """Whether a scene is panchromatic."""
    return panchromatic([asset.bands for asset in scene.assets])


def covers(scene: Scene, site: Site) -> bool:
    """Whether the scene's footprint meets the site, also one turn of the globe further."""
    if scene.footprint is None:
        return True
    return any(
        scene.footprint.intersects(_shifted(site.geometry, turn)) for turn in (0.0, 360.0, -360.0)
    )


def plan_looks(
    site: Site,
    scenes: Iterable[Scene],
    dates: tuple[datetime | None, datetime | None] = (None, None),
) -> tuple[list[LookPlan], list[LeftOut]]:
    """Group the scenes of a site into looks, in the order of their dates.

    Args:
        site: the site; scenes that do not meet it are ignored silently.
        scenes: the catalogue.
        dates: outer bounds; scenes outside them are ignored silently.

    Returns:
        The looks by date, and the scenes over the site that cannot serve, with the reason.
    """
    first, last = dates
    left_out: list[LeftOut] = []
    suitable: list[Scene] = []
    for scene in scenes:
        if not covers(scene, site):
            continue
        if (first is not None and scene.end < first) or (last is not None and scene.start > last):
            continue
        reason = unsuitable(scene)
        if reason is None:
            suitable.append(scene)
        else:
            left_out.append(LeftOut(scene, reason))
    suitable.sort(key=lambda scene: (scene.start, scene.end, scene.sensor or "", scene.id))
    groups: list[list[Scene]] = []
    for scene in suitable:
        group = next((g for g in reversed(groups[-8:]) if same_pass(g[0], scene)), None)
        if group is None:
            groups.append([scene])
        else:
            group.append(scene)
    # Events tell time by the middle of what is known of it: pairs must have the same order.
    looks = sorted((_look(group) for group in groups), key=lambda k: (k.middle, k.end, k.id))
    return looks, left_out


def same_pass(a: Scene, b: Scene) -> bool:
    """Whether two scenes were taken in one overpass by one sensor.

    Where only the day (month, year) is known, frames of one sensor and the same day (month,
    year) are taken for one pass.
    """
    if (a.sensor or "") != (b.sensor or "") or not _similar_gsd(a.gsd_m, b.gsd_m):
        return False
    if a.start == a.end and b.start == b.end:
        return abs(a.start - b.start) <= SAME_PASS
    return a.start == b.start and a.end == b.end


def top_of_atmosphere(scene: Scene) -> bool:
    """Whether a Sentinel-2 or Landsat scene is of level 1: as seen from space, haze included."""
    told = (scene.id, scene.sensor, *(scene.properties.get(key) for key in _LEVELS))
    return bool(_LEVEL_1.search(" ".join(str(each) for each in told if each)))


def _similar_gsd(a: float | None, b: float | None) -> bool:
    return a is None or b is None or max(a, b) <= 1.5 * min(a, b)


def _look(scenes: Sequence[Scene]) -> LookPlan:
    start = min(scene.start for scene in scenes)
    known = [scene.gsd_m for scene in scenes if scene.gsd_m is not None]
    # A mask must be known before a scene without one is looked at; haze is taken off in level 2.
    scenes = sorted(scenes, key=lambda scene: (not scene.masks, top_of_atmosphere(scene)))
    digest = hashlib.sha256("\n".join(sorted(s.id for s in scenes)).encode()).hexdigest()[:8]
    return LookPlan(
        id=f"{re.sub('[^0-9T]', '', start.isoformat()[:19])}-{digest}",
        start=start,
        end=max(scene.end for scene in scenes),
        scenes=tuple(scenes),
        sensor=scenes[0].sensor,
        gsd_m=sorted(known)[len(known) // 2] if known else None,
    )


def _shifted(geometry: BaseGeometry, degrees: float) -> BaseGeometry:
    return geometry if degrees == 0 else translate(geometry, xoff=degrees)
