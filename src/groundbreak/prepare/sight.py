"""A scene at first sight: whether it can be read at all, and what its numbers mean."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from odc.geo.geobox import GeoBox

from groundbreak.prepare.acquire import Source, available_bands, read_one
from groundbreak.prepare.fill import find_fill
from groundbreak.prepare.known import Known, files, hrefs, record, scene_basis
from groundbreak.prepare.scales import find_scale
from groundbreak.raster.href import resolve_href
from groundbreak.raster.offsets import is_sentinel2
from groundbreak.raster.valid import FillColour
from groundbreak.types import Scene

PROBE = 16
"""Longest side of the picture that is read to see whether there is one."""


@dataclass(frozen=True)
class Sight:
    """What a scene is without saying so.

    Attributes:
        filled: colours that are fill where they touch its border.
        scale: reflectance per number; None where it states one, or is reflectance as it is.
    """

    filled: tuple[FillColour, ...]
    scale: float | None


def known_sight(answer: Any) -> Sight:
    """What was kept of a sight; raises if it is something else."""
    filled = tuple(FillColour(colour) for colour in answer["filled"])
    return record(Sight)(answer | {"filled": filled})


def first_sight(scene: Scene, grid: GeoBox, source: Source, known: Known) -> Sight:
    """Look at a scene; one whose files are as they were is not read again.

    A scene on the network is always probed: there is no other way to tell whether it is there.

    Args:
        scene: the scene.
        grid: the coarse grid of the site.
        source: how scenes are read; nothing was corrected yet.
        known: answers that are kept.

    Raises:
        RasterError: a file is damaged, cannot be had now, or nobody can know its scale.
        HrefError: an address may not be read.
    """
    colours = [colour for colour in FillColour if colour not in source.fill_of(scene)]
    question = [
        "sight",
        scene_basis(scene, grid, available_bands([scene], source.bands)),
        colours,
        is_sentinel2(scene),
    ]
    is_known = known.knows(question, known_sight)
    if is_known and all(files(scene)):
        for href in hrefs(scene):
            resolve_href(href, source.policy)
    elif is_known:
        read_one(scene, grid.zoom_to(PROBE), source)

    def look() -> Sight:
        filled = find_fill(scene, grid, source, colours)
        return Sight(filled, find_scale(scene, grid, source))

    return known.of(question, lambda: asdict(look()), known_sight)
