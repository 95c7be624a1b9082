"""Pairs from ports: what changed, what only looks different, and the label of both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from groundbreak.slipmaking import carve, weather
from groundbreak.slipmaking.dates import look
from groundbreak.slipmaking.ground import Donor
from groundbreak.slipmaking.ports import Port
from groundbreak.slipmaking.structures import (
    Edit,
    Fill,
    View,
    fill_berths,
    remove_piers,
    repaint_water,
)
from groundbreak.types import BoolArray, FloatArray, MaskValue

RECIPES = ("filled", "piers", "cut", "built", "silent", "edited", "mole", "flood", "dug")
"""Berth filled, or its piers taken away, in the before; berth cut, or piers built, in the after;
and pairs without a berth: nothing changed, both dates edited alike, a mole, a flood, works."""
WITH_BERTHS = ("filled", "piers", "edited")
"""Recipes that need a port with outlined berths."""


@dataclass(frozen=True)
class SlipPair:
    """A pair as it is written.

    ``before``, ``after`` (bands, size, size) float32 in [0, 1]; ``label`` (size, size) uint8 of
    ``types.MaskValue``.
    """

    before: FloatArray
    after: FloatArray
    label: NDArray[np.uint8]
    recipe: str
    port: str
    gsd_m: float


def make_pair(rng: np.random.Generator, port: Port, recipe: str, size: int, fill: Fill) -> SlipPair:
    """Make one pair.

    Args:
        rng: source of randomness; the same state makes the same pair.
        port: the real port.
        recipe: one of ``RECIPES``.
        size: side in pixels.
        fill: filling method of ``ground``.

    Raises:
        ValueError: the port has no place for the recipe (try another state of ``rng``).
    """
    view = _view(rng, port, size, with_berths=recipe in WITH_BERTHS)
    same = Edit(view.pixels, view.water, np.zeros_like(view.water), np.zeros_like(view.water))
    before, after = same, same
    if recipe in ("filled", "piers"):
        before = _undone(rng, view, recipe, fill)
        label = _label(before)
    elif recipe in _MADE:
        after = _MADE[recipe](rng, view, fill)
        label = _label(after)
    elif recipe == "edited":
        before = after = _edited(rng, view, fill)
        label = np.zeros(view.water.shape, dtype=np.uint8)
    else:
        label = np.zeros(view.water.shape, dtype=np.uint8)
    if recipe != "edited" and rng.random() < 0.3:
        before, after = _repainted(rng, view, before, after, fill)
    pictures = _two_dates(rng, view, (before, after), label, fill)
    return SlipPair(*pictures, label, recipe, port.name, port.gsd_m)


def silent_pair(rng: np.random.Generator, port: Port, fill: Fill) -> SlipPair:
    """The whole port against itself: two dates between which no berth was built."""
    whole = (slice(0, port.shape[0]), slice(0, port.shape[1]))
    view = _cut_out(port, whole)
    none = np.zeros(port.shape, dtype=bool)
    same = Edit(view.pixels, view.water, none, none)
    label = np.zeros(port.shape, dtype=np.uint8)
    pictures = _two_dates(rng, view, (same, same), label, fill)
    return SlipPair(*pictures, label, "silent", port.name, port.gsd_m)


def _two_dates(
    rng: np.random.Generator,
    view: View,
    edits: tuple[Edit, Edit],
    label: NDArray[np.uint8],
    fill: Fill,
) -> tuple[FloatArray, FloatArray]:
    """Both dates with their own ships, sea, light and optics; marks in the label what is void."""
    berths = _berth_water(view, label)
    first, second = (look(rng, view, edit, berths, fill) for edit in edits)
    label[~view.valid] = MaskValue.IGNORE
    # Half to each: interpolation blurs, and must not tell which date is which.
    down, right = (float(shift) / 2 for shift in rng.normal(0.0, 0.35, 2))
    first = weather.misregister(first, (down, right))
    second = weather.misregister(second, (-down, -right))
    return weather.expose(rng, first), weather.expose(rng, second)


_MADE: dict[str, Callable[[np.random.Generator, View, Fill], Edit]] = {
    "cut": carve.cut_berth,
    "built": lambda rng, view, _: carve.build_piers(rng, view),
    "mole": lambda rng, view, _: carve.build_breakwater(rng, view),
    "flood": carve.flood,
    "dug": lambda rng, view, _: carve.dig(rng, view),
}


def _view(rng: np.random.Generator, port: Port, size: int, with_berths: bool) -> View:
    """A square of the port: around a berth, or where land and water meet."""
    height, width = port.shape
    numbers = port.numbers()
    for _ in range(60):
        if with_berths:
            if not numbers:
                raise ValueError("the port has no outlined berth")
            ring = port.outlines[int(rng.choice(numbers)) - 1].ring
            middle = ring.mean(axis=0) + rng.uniform(-0.25, 0.25, 2) * size
        else:
            middle = rng.uniform((0, 0), (width, height))
        y = int(np.clip(middle[1] - size / 2, 0, max(height - size, 0)))
        x = int(np.clip(middle[0] - size / 2, 0, max(width - size, 0)))
        box = (slice(y, y + size), slice(x, x + size))
        share = port.water[box].mean()
        if with_berths or (0.08 < share < 0.9 and port.valid[box].mean() > 0.9):
            break
    return _cut_out(port, box)


def _cut_out(port: Port, box: tuple[slice, slice]) -> View:
    near = ndimage.binary_dilation(port.water | (port.berths > 0), iterations=2)
    water = ndimage.binary_erosion(port.water & (port.berths == 0), iterations=2)
    origin = (box[0].start, box[1].start)
    land = Donor(port.pixels, port.valid & ~near, origin)
    sea = Donor(port.pixels, water & port.valid, origin)
    return View(
        port.pixels[(slice(None), *box)],
        port.water[box],
        port.berths[box],
        port.valid[box],
        land,
        sea,
        port.gsd_m,
    )


def _undone(rng: np.random.Generator, view: View, recipe: str, fill: Fill) -> Edit:
    """The view without some of its berths."""
    there = [n for n in np.unique(view.berths) if n > 0 and (view.berths == n).sum() >= 12]
    if not there:
        raise ValueError("no berth lies in the view")
    middle = np.array(view.water.shape) / 2
    nearness = {
        n: float(np.hypot(*(np.argwhere(view.berths == n).mean(axis=0) - middle))) for n in there
    }
    first = min(there, key=lambda n: nearness[n])
    chosen = [first]
    if recipe == "piers" or rng.random() < 0.5:
        around = ndimage.binary_dilation(
            view.berths == first, iterations=max(2, round(120 / view.gsd_m))
        )
        chosen += [n for n in there if n != first and (around & (view.berths == n)).any()]
        if recipe == "filled":
            chosen = [n for n in chosen if n == first or rng.random() < 0.6]
    if recipe == "filled":
        return fill_berths(rng, view, chosen, fill)
    edit = remove_piers(rng, view, chosen, fill)
    if edit is None:
        raise ValueError("no pier lies beside the berth")
    return edit


def _edited(rng: np.random.Generator, view: View, fill: Fill) -> Edit:
    """Filled, carved or flooded: what both dates will show."""
    kind = rng.choice(["filled", "cut", "flood"], p=[0.6, 0.25, 0.15])
    if kind == "filled":
        return _undone(rng, view, "filled", fill)
    return _MADE[str(kind)](rng, view, fill)


def _repainted(
    rng: np.random.Generator, view: View, before: Edit, after: Edit, fill: Fill
) -> tuple[Edit, Edit]:
    """One date with water copied over its water, away from what changed."""
    later = rng.random() < 0.5  # both may be the same object
    edit = after if later else before
    calm = edit.water & ~ndimage.binary_dilation(
        before.new | after.new | before.unsure | after.unsure, iterations=3
    )
    there = replace(view, pixels=edit.pixels, water=calm)
    try:
        painted = replace(edit, pixels=repaint_water(rng, there, fill))
    except ValueError:
        return before, after
    return (before, painted) if later else (painted, after)


def _label(edit: Edit) -> NDArray[np.uint8]:
    label = np.zeros(edit.water.shape, dtype=np.uint8)
    label[edit.unsure] = MaskValue.IGNORE
    rim = ndimage.binary_dilation(edit.new) & ~edit.new
    label[rim] = MaskValue.IGNORE
    label[edit.new] = MaskValue.DOCKING_SLIP
    return label


def _berth_water(view: View, label: NDArray[np.uint8]) -> list[BoolArray]:
    """Berths in which ships may be moored, old and new."""
    known = [view.berths == n for n in np.unique(view.berths) if n > 0]
    parts, count = ndimage.label(label == MaskValue.DOCKING_SLIP)
    return known + [parts == n for n in range(1, count + 1)]
