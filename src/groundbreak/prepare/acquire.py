"""One planned look on one grid: scenes read, their masks applied, mosaicked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from odc.geo.geobox import GeoBox

from groundbreak.errors import RasterError, UnreachedError
from groundbreak.prepare.looks import LeftOut, LookPlan, in_grey, names_in
from groundbreak.raster.bands import VISIBLE
from groundbreak.raster.href import Opener
from groundbreak.raster.offsets import OffsetDecision
from groundbreak.raster.read import read_mask, read_scene
from groundbreak.raster.valid import FillColour
from groundbreak.types import BoolArray, FloatArray, HrefPolicy, Patch, Scene
from groundbreak.usable.masks import from_mask


@dataclass(frozen=True)
class Source:
    """What to read, and how.

    Attributes:
        bands: common names that are wanted, in the order of the model; what a scene lacks of them
            its look does without (``look_bands``).
        policy: which addresses may be read.
        opener: opens http(s) addresses; None where the catalogue has none.
        zero_is_nodata: take zeros that touch the border of a picture for fill.
        offsets: by scene, what to add to digital numbers where that differs from the metadata.
        scales: by scene, reflectance per digital number where its bands state none.
        filled: by scene, colours that are fill where they touch the border, though nothing says so.
    """

    bands: tuple[str, ...]
    policy: HrefPolicy
    opener: Opener | None = None
    zero_is_nodata: bool = False
    offsets: Mapping[str, OffsetDecision] = field(default_factory=dict)
    scales: Mapping[str, float] = field(default_factory=dict)
    filled: Mapping[str, tuple[FillColour, ...]] = field(default_factory=dict)

    def fill_of(self, scene: Scene) -> tuple[FillColour, ...]:
        """Colours that are fill where they touch the border of a scene, asked for or found."""
        asked = {FillColour.BLACK} if self.zero_is_nodata else set()
        return tuple(sorted(asked.union(self.filled.get(scene.id, ()))))


@dataclass(frozen=True)
class Acquired:
    """Pixels of a look and what its own masks say of them.

    ``pixels`` (bands, height, width) in [0, 1]; ``valid`` and ``usable`` (height, width);
    ``masked`` tells whether every scene that is shown came with a cloud mask; ``bands`` are the
    names of those that there are: looks of one site may have different ones. ``stretched`` tells
    that some of it is brightness on a screen and not reflectance, None where nobody knows.
    """

    pixels: FloatArray
    valid: BoolArray
    usable: BoolArray
    masked: bool
    bands: tuple[str, ...]
    stretched: bool | None = None

    def select(self, bands: Sequence[str]) -> FloatArray:
        """Pixels of some of its bands."""
        places = [self.bands.index(band) for band in bands]
        return self.pixels if places == [*range(len(self.bands))] else self.pixels[places]


def in_common(*looks: Acquired) -> tuple[str, ...]:
    """The bands that every look has, in the order of the first one."""
    return tuple(band for band in looks[0].bands if all(band in look.bands for look in looks))


def of_other_scale(one: Acquired, other: Acquired) -> bool:
    """Whether one look is stretched for the screen, and the other surely not."""
    return {one.stretched, other.stretched} == {False, True}


class SceneLostError(Exception):
    """A scene turned out to be damaged; the site is prepared anew without it."""

    def __init__(self, scene: Scene, cause: RasterError) -> None:
        self.left_out = left_out(scene, cause)
        super().__init__(str(cause))


def left_out(scene: Scene, cause: RasterError) -> LeftOut:
    """The record of a scene that could not be read; who tells of it says which one it is."""
    reason = str(cause).removeprefix(f"scene {scene.id}: ")
    return LeftOut(scene, reason, isinstance(cause, UnreachedError))


def available_bands(scenes: Sequence[Scene], wanted: Sequence[str]) -> tuple[str, ...]:
    """The wanted bands that every scene has, in their order; a panchromatic one has all colours."""
    names = [names_in(scene) | (VISIBLE if in_grey(scene) else set()) for scene in scenes]
    return tuple(band for band in wanted if all(band in have for have in names))


def look_bands(plan: LookPlan, source: Source) -> tuple[str, ...]:
    """The bands that a look is read with: whatever other looks of its site have, or lack."""
    return available_bands(plan.scenes, source.bands)


def acquire(plan: LookPlan, geobox: GeoBox, source: Source) -> Acquired:
    """Read the scenes of a look onto a grid.

    Where scenes overlap, the first usable pixel counts, else the first valid one. What the mask of
    one scene calls unusable no later scene of the same pass makes usable: it may be the same
    acquisition delivered again, without its mask.

    Raises:
        SceneLostError: a file is damaged or lacks a band.
        HrefError: an address may not be read.
    """
    bands = look_bands(plan, source)
    pixels = np.zeros((len(bands), *geobox.shape), np.float32)
    valid = np.zeros(geobox.shape, bool)
    usable = np.zeros(geobox.shape, bool)
    closed = np.zeros(geobox.shape, bool)
    masked, stretched = True, False
    for scene in plan.scenes:
        try:
            patch = read_one(scene, geobox, source, bands)
            clear, denied = by_masks(scene, geobox, source)
        except RasterError as error:
            raise SceneLostError(scene, error) from error
        scene_usable = patch.valid & ~patch.saturated & clear & ~closed
        take = (scene_usable & ~usable) | (patch.valid & ~valid)
        masked &= bool(scene.masks) or not take.any()
        stretched |= patch.stretched and bool(take.any())
        if valid.any():
            np.copyto(pixels, patch.pixels, where=take)
        else:
            pixels = patch.pixels
        usable |= scene_usable
        valid |= patch.valid
        closed |= patch.valid & denied
        if (usable | closed).all():
            break
    return Acquired(pixels, valid, usable, masked, bands, stretched)


def by_masks(scene: Scene, geobox: GeoBox, source: Source) -> tuple[BoolArray, BoolArray]:
    """What the masks that came with a scene say of it.

    Returns:
        Where all of them call it usable, and where one that reaches there calls it unusable (both
        (height, width)).
    """
    usable = np.ones(geobox.shape, bool)
    denied = np.zeros(geobox.shape, bool)
    for mask in scene.masks:
        values, known = read_mask(scene, mask, geobox, source.policy, opener=source.opener)
        clear = from_mask(mask.kind, values, known)
        usable &= clear
        denied |= known & ~clear
    return usable, denied


def read_one(
    scene: Scene, geobox: GeoBox, source: Source, bands: Sequence[str] | None = None
) -> Patch:
    """One scene on a grid, nothing judged yet; ``bands``: those that it has of the source's.

    Raises:
        RasterError: a file is damaged or lacks a band.
        HrefError: an address may not be read.
    """
    return read_scene(
        scene,
        geobox,
        available_bands([scene], source.bands) if bands is None else bands,
        source.policy,
        fill=source.fill_of(scene),
        opener=source.opener,
        offset=source.offsets.get(scene.id),
        scale=source.scales.get(scene.id),
    )
