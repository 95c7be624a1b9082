"""Labelled before/after chips of random fictional places, for pre-training."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from groundbreak.simulate.conditions import draw_conditions, random_date
from groundbreak.simulate.labels import pair_label
from groundbreak.simulate.pair_worlds import AFTER, BEFORE, random_world
from groundbreak.simulate.render import render
from groundbreak.simulate.sensor import develop, draw_camera, expose, veil

_MARGIN_PX = 6
_DRAWN_PX = 2


def render_pair(
    seed: int, size_px: int, gsd_m: float, *, place: str | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """A simulated labelled pair of a random place.

    The two dates differ in season, sun, air, tide, snow, vehicles and ships, in the sensor's
    blur, noise, stretch and compression, and by a shift of up to 1.5 px.

    Args:
        seed: the same seed gives the same pair.
        size_px: height and width of the chip.
        gsd_m: ground size of a pixel, 0.3 to 10 m.
        place: kind of place, a key of ``districts.PLACES`` ("coast" for docking slips); None
            draws one.

    Returns:
        before and after, uint8 (h, w, 3) RGB; label, uint8 (h, w) with the values of
        ``MaskValue``: 254 where a building replaced another, 255 where works are under way and
        for greenhouses.
    """
    rng = np.random.default_rng([seed, 71])
    world = random_world(rng, size_px + 2 * _MARGIN_PX, gsd_m, _DRAWN_PX, place)
    label = pair_label(world.grid, world.works, BEFORE, AFTER, _DRAWN_PX)
    spread = 0.25 if rng.random() < 0.6 else 0.75
    chips = []
    date = random_date(rng)
    for day in (BEFORE, AFTER):
        conditions = draw_conditions(rng, date, world.latitude, off_nadir_deg=14.0)
        camera = draw_camera(rng, gsd_m)
        drawing = render(world, conditions, day)
        shift = rng.uniform(-spread, spread, 2)
        light = expose(drawing, _DRAWN_PX, (float(shift[0]), float(shift[1])), camera)
        chips.append(develop(veil(light, conditions), camera, rng))
        date += timedelta(days=int(rng.integers(20, 1500)))
    inner = slice(_MARGIN_PX, _MARGIN_PX + size_px)
    return (
        np.ascontiguousarray(chips[0][inner, inner]),
        np.ascontiguousarray(chips[1][inner, inner]),
        np.ascontiguousarray(label[inner, inner]),
    )
