"""Black or white frames and corners that nothing marks as missing: told from what was seen.

Exports of a swath are zero where it ends, maps and screenshots white, often without a nodata
value. Zero may also be a shadow or water in a picture of hard contrast, but that is frayed, full
of specks, and dark around. White may be snow, sand or a cloud, which are so too, and bright around,
or a roof, which is a notch in what the picture shows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

import numpy as np
from odc.geo.geobox import GeoBox
from scipy.ndimage import binary_dilation, binary_fill_holes, binary_opening, label

from groundbreak.prepare.acquire import Source, read_one
from groundbreak.raster.bands import VISIBLE
from groundbreak.raster.valid import FillColour
from groundbreak.types import BoolArray, Patch, Scene

PROBE, GLANCE = 32, 256
"""Longest sides of the pictures in which a colour is looked for, and then looked at."""

LEAST_SHARE = 0.01
"""Of the picture; less is a shadow, or a roof."""

WHOLE = 0.98
"""From this share on there is nothing beside the black to compare it with, and nothing to see."""

RAGGED = 0.05
"""Share of a filled area by which it, or the picture beside it, misses being convex."""

SPECKS = 0.002
"""Share of a filled area that may be of another colour."""

RIM = (3, 6)
"""Pixels from the fill between which its surroundings are looked at: JPEG frays the first ones."""

DARK = 3.5 / 255
"""Surroundings as dark as that go over into black without a step ..."""

BRIGHT = 0.75
"""... and those as bright as that into white: the rim of a cloud is, and snow in the shade ..."""

MOST_ALIKE = 0.3
"""... if it is more than this share of them."""

WHITISH = 246.5 / 255
"""From here on it is worth a look: compression with loss leaves white fill almost white."""


def find_fill(
    scene: Scene, grid: GeoBox, source: Source, colours: Collection[FillColour] = tuple(FillColour)
) -> tuple[FillColour, ...]:
    """The colours that are fill at the borders of a scene though nothing says so.

    Args:
        scene: the scene.
        grid: the coarse grid of the site.
        source: how scenes are read; it knows of no fill in these colours.
        colours: that may be fill.

    Raises:
        RasterError: a file is damaged.
        HrefError: an address may not be read.
    """
    found: tuple[FillColour, ...] = ()
    probe, small = read_one(scene, _reduced(grid, PROBE), source), _reduced(grid, GLANCE)
    if (
        FillColour.BLACK in colours
        and _black(probe).any()
        and shows_black_fill(read_one(scene, small, source))
    ):
        found = (FillColour.BLACK,)
    # Reflectance of 1 is a cloud or snow; only pictures for the screen have a white of their own.
    white = probe.stretched and bool((probe.valid & (probe.pixels >= WHITISH).all(axis=0)).any())
    if FillColour.WHITE in colours and white:
        less, more = (
            read_one(scene, small, replace(source, filled={scene.id: fill}))
            for fill in (found, (*found, FillColour.WHITE))
        )
        if shows_white_fill(more, less.valid & ~more.valid):
            found = (*found, FillColour.WHITE)
    return found


def shows_black_fill(patch: Patch) -> bool:
    """Whether black in a picture is fill: nearly all of it, or an area with straight edges, without
    specks, and bright around.
    """
    black = _black(patch)
    if black.sum() >= max(WHOLE * patch.valid.sum(), LEAST_SHARE * black.size):
        return True
    dark = patch.pixels[_visible(patch)].max(axis=0) <= DARK
    return any(
        min(_notches(rest), _notches(area)) <= RAGGED * np.count_nonzero(area)
        for area, rest in _stepped(black, patch.valid & ~black, dark)
    )


def shows_white_fill(patch: Patch, white: BoolArray) -> bool:
    """Whether white at the border of a picture is fill: all of it, or what leaves the picture
    straight edges, without specks, and not nearly white around.

    A white roof at the border has straight edges itself, but it leaves the picture a notch.

    Args:
        patch: the picture without it, as if it were fill.
        white: (height, width) what is connected to the border.
    """
    if not patch.valid.any():
        return bool(white.any())
    bright = patch.pixels[_visible(patch)].min(axis=0) >= BRIGHT
    return any(
        # Compression with loss frays the edge by a pixel or two.
        _notches(binary_opening(rest, np.ones((3, 3), bool))) <= RAGGED * np.count_nonzero(area)
        for area, rest in _stepped(white, patch.valid, bright)
    )


def _stepped(
    fill: BoolArray, rest: BoolArray, alike: BoolArray
) -> Iterator[tuple[BoolArray, BoolArray]]:
    """Areas of one colour that are large, without specks, and end with a step.

    Args:
        fill: (height, width) pixels of that colour.
        rest: what else the picture shows.
        alike: where it has nearly that colour.

    Yields:
        An area, and the rest without the specks in it.
    """
    # A frame encloses the picture, which is no speck in it.
    shown, _ = label(rest, np.ones((3, 3), bool))
    main = shown == 1 + np.argmax(np.bincount(shown.ravel())[1:]) if rest.any() else rest
    frayed = binary_dilation(main, iterations=RIM[0])
    least = LEAST_SHARE * fill.size
    areas, _ = label(fill)
    for number in np.flatnonzero(np.bincount(areas.ravel())[1:] >= least) + 1:
        area = areas == number
        whole = binary_fill_holes(area)
        specks = whole & rest & ~main
        counted = np.count_nonzero(specks & ~frayed)
        ring = binary_dilation(area, iterations=RIM[1]) & ~binary_dilation(area, iterations=RIM[0])
        around = alike[ring & rest]
        stepped = around.size == 0 or np.mean(around) <= MOST_ALIKE
        if stepped and counted <= SPECKS * np.count_nonzero(whole & ~main):
            yield area, rest & ~specks


def _black(patch: Patch) -> BoolArray:
    return patch.valid & (patch.pixels == 0).all(axis=0)


def _visible(patch: Patch) -> list[int]:
    return [i for i, band in enumerate(patch.bands) if band in VISIBLE]


def _reduced(grid: GeoBox, side: int) -> GeoBox:
    return grid if max(grid.shape) <= side else grid.zoom_to(side)


def _notches(area: BoolArray) -> float:
    """Pixels by which an area falls short of its convex hull, beside the stairs of its outline."""
    from scipy.spatial import ConvexHull

    rows, columns = np.nonzero(area)
    if not rows.size:
        return 0.0
    corners = np.concatenate(
        [np.stack([rows + down, columns + right]) for down in (0, 1) for right in (0, 1)], axis=1
    )
    hull = ConvexHull(np.unique(corners.T, axis=0))
    return float(hull.volume - hull.area / 2) - rows.size  # in a plane: its area, its perimeter
