"""Berths undone and berths made: the edits that the pairs are about.

Every function takes a view of a port as it is and says what it would look like with one thing
less or one thing more, and what the truth of that is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from groundbreak.slipmaking.ground import Donor
from groundbreak.slipmaking.noise import rough
from groundbreak.types import BoolArray, FloatArray

Fill = Callable[[np.random.Generator, FloatArray, BoolArray, BoolArray, Donor], FloatArray]
"""A filling method of ``ground``."""


@dataclass(frozen=True)
class View:
    """A square piece of a port.

    Attributes:
        pixels: (bands, height, width).
        water: water of this piece.
        berths: numbers of the berths.
        valid: pixels with data.
        land: where land may be copied from.
        sea: where water may be copied from.
        gsd_m: pixel size.
    """

    pixels: FloatArray
    water: BoolArray
    berths: np.ndarray
    valid: BoolArray
    land: Donor
    sea: Donor
    gsd_m: float


@dataclass(frozen=True)
class Edit:
    """The same place otherwise.

    Attributes:
        pixels: the view edited.
        water: its water.
        new: pixels that are berth water in the one and not in the other.
        unsure: pixels whose change is not known exactly, or is of no kind.
    """

    pixels: FloatArray
    water: BoolArray
    new: BoolArray
    unsure: BoolArray


def fill_berths(rng: np.random.Generator, view: View, numbers: list[int], fill: Fill) -> Edit:
    """The view before the berths were dug: ground up to the line between the pier heads.

    Args:
        rng: source of randomness.
        view: the port as it is.
        numbers: which berths.
        fill: filling method.

    Raises:
        ValueError: the port has no ground to fill them with.
    """
    wanted = np.isin(view.berths, numbers)
    margin = 2.5 if view.gsd_m > 5 else 4.0
    outside = ndimage.distance_transform_edt(~wanted)
    grown = rough(rng, (margin - outside).astype(np.float32), 0.4) > 0
    # On the open side nothing is to be filled beyond the line, nor in the neighbouring berths.
    beyond = _open_water(view) & ~wanted
    region = (grown | wanted) & ~beyond & view.valid
    rim = ~region & ~view.water & view.valid
    pixels = fill(rng, view.pixels, region, rim, view.land)
    changed = ndimage.binary_dilation(region, iterations=1)
    return Edit(pixels, view.water & ~region, wanted, changed & ~wanted)


def remove_piers(
    rng: np.random.Generator, view: View, numbers: list[int], fill: Fill
) -> Edit | None:
    """The view before the piers beside the berths were built: open water.

    Piers are land that is narrow: what an opening by half the width of a wide pier takes away.

    Returns:
        None where what lies beside the berths is no pier.
    """
    wanted = np.isin(view.berths, numbers)
    width = round((130 if view.gsd_m > 5 else 100) / view.gsd_m)
    firm = ~view.water & view.valid & ~wanted
    padded = np.pad(firm, width, mode="edge")
    body = ndimage.distance_transform_edt(padded) > width / 2
    body = ndimage.distance_transform_edt(~body)[width:-width, width:-width] < width / 2 + 1
    near = ndimage.distance_transform_edt(~wanted) < width
    narrow = firm & ~body & near
    region = ndimage.binary_opening(narrow | wanted, iterations=1) & near & view.valid
    region &= ndimage.distance_transform_edt(~(narrow | wanted)) < 1
    piers = region & firm
    if piers.sum() * view.gsd_m**2 < 4000 or piers.sum() < 0.12 * wanted.sum():
        return None
    reaching = ndimage.binary_dilation(piers, iterations=3)
    if (wanted & reaching).sum() < 0.15 * wanted.sum():
        return None
    region = ndimage.binary_dilation(region, iterations=1) & ~body & view.valid
    rim = view.water & ~region
    pixels = fill(rng, view.pixels, region, rim, view.sea)
    beside = ndimage.binary_dilation(piers, iterations=round(60 / view.gsd_m)) & view.water
    unsure = (region | beside | ndimage.binary_dilation(region)) & ~wanted
    return Edit(pixels, view.water | region, wanted, unsure)


def repaint_water(rng: np.random.Generator, view: View, fill: Fill) -> FloatArray:
    """Blobs of water copied over water: an edit after which nothing has changed."""
    field = rng.random(view.water.shape) < 3e-4
    blobs = ndimage.binary_dilation(field, iterations=int(rng.integers(4, 14)))
    region = blobs & ndimage.binary_erosion(view.water, iterations=2)
    if region.sum() < 20:
        return view.pixels
    return fill(rng, view.pixels, region, view.water & ~region, view.sea)


def _open_water(view: View) -> BoolArray:
    """Water outside the outlined berths that is wide, or belongs to another berth.

    Slivers of water between an outline and its quay are part of the berth.
    """
    outside = view.water & (view.berths == 0)
    wide = ndimage.binary_opening(outside, iterations=2 if view.gsd_m > 5 else 4)
    return (view.berths > 0) | wide
