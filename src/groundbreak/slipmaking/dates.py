"""What comes and goes between two dates: ships, tide, plumes, glint."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from groundbreak.slipmaking import ships, weather
from groundbreak.slipmaking.structures import Edit, Fill, View
from groundbreak.types import BoolArray, FloatArray

_COVERED = 0.07  # share of the dates with ice or sandbanks


def look(
    rng: np.random.Generator, view: View, edit: Edit, berths: list[BoolArray], fill: Fill
) -> FloatArray:
    """A place as it looks on one date.

    Args:
        rng: source of randomness.
        view: where the place is.
        edit: what is there.
        berths: berth water in which ships may be moored.
        fill: filling method, to take ships away.

    Returns:
        (bands, height, width).
    """
    pixels, water = edit.pixels, edit.water
    if rng.random() < 0.6:
        pixels, water = _without_ships(rng, pixels, water, view, fill)
    if rng.random() < 0.6:
        px = rng.uniform(-1, 1) * (1.6 if view.gsd_m > 5 else 3.0)
        pixels, water = weather.tide(rng, pixels, water, px)
    if rng.random() < 0.4:
        pixels = weather.turbidity(rng, pixels, water)
    if rng.random() < _COVERED:
        away = np.ones_like(water) if not berths else ~np.any(berths, axis=0)
        pixels = weather.cover(rng, pixels, water & away)
    if rng.random() < 0.6:
        pixels = weather.glint(rng, pixels, water)
    return _with_ships(rng, pixels, water, berths, view.gsd_m)


def _without_ships(
    rng: np.random.Generator, pixels: FloatArray, water: BoolArray, view: View, fill: Fill
) -> tuple[FloatArray, BoolArray]:
    """Some of the ships afloat have left."""
    afloat = ships.floating(water, view.valid, view.gsd_m)
    things, count = ndimage.label(afloat)
    stay = rng.uniform(0.0, 0.7)
    for number in range(1, count + 1):
        thing = things == number
        if rng.random() < stay:
            continue
        try:
            pixels = fill(rng, pixels, thing, water & ~afloat, view.sea)
        except ValueError:  # too little open water to copy from: it stays
            continue
        water = water | thing
    return pixels, water


def _with_ships(
    rng: np.random.Generator,
    pixels: FloatArray,
    water: BoolArray,
    berths: list[BoolArray],
    gsd_m: float,
) -> FloatArray:
    land = pixels.mean(axis=0)[~water]
    bright = float(np.quantile(land, 0.9)) if land.size else 0.4
    depth = ndimage.distance_transform_edt(water)
    for _ in range(int(rng.poisson(1.3))):  # under way or at anchor
        length = float(np.exp(rng.uniform(np.log(25), np.log(280)))) / gsd_m
        rows, columns = np.nonzero(depth > 0.6 * length)
        if rows.size:
            n = int(rng.integers(rows.size))
            heading = float(rng.uniform(-np.pi, np.pi))
            ship = ships.Ship(columns[n], rows[n], heading, length, bool(rng.random() < 0.4))
            pixels = ships.draw_ship(rng, pixels, ship, bright)
    for berth in berths:
        afloat = berth & water
        if afloat.sum() < max(12, 0.6 * berth.sum()) or rng.random() < 0.45:
            continue
        ship_here = _moored(rng, afloat, gsd_m)
        if ship_here is not None:
            pixels = ships.draw_ship(rng, pixels, ship_here, bright)
    return pixels


def _moored(rng: np.random.Generator, berth: BoolArray, gsd_m: float) -> ships.Ship | None:
    """A ship along one of the long sides of a berth."""
    rows, columns = np.nonzero(berth)
    points = np.stack([columns - columns.mean(), rows - rows.mean()])
    _, vectors = np.linalg.eigh(points @ points.T)
    axis = vectors[:, -1]
    along, across = axis @ points, np.array([-axis[1], axis[0]]) @ points
    berth_length, berth_width = np.ptp(along) + 1, np.ptp(across) + 1
    length = min(rng.uniform(0.4, 0.9) * berth_length, 330 / gsd_m)
    beam = length / 6.5
    if beam > 0.8 * berth_width or beam < 0.5:
        return None
    side = rng.choice([-1, 1]) * (berth_width / 2 - beam / 2 - 0.5)
    place = rng.uniform(-0.5, 0.5) * (berth_length - length)
    x = columns.mean() + axis[0] * place - axis[1] * side
    y = rows.mean() + axis[1] * place + axis[0] * side
    heading = float(np.arctan2(axis[1], axis[0]) + (np.pi if rng.random() < 0.5 else 0))
    return ships.Ship(float(x), float(y), heading, float(length))
