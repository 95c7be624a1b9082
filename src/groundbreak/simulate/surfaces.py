"""Ground covers and their colours through the year.

Colours are reflectances in the order red, green, blue, near infrared. Every cover has two
colours that a noise field mixes, and the strength of its texture.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from groundbreak.simulate.conditions import Conditions
from groundbreak.types import FloatArray

BANDS = ("red", "green", "blue", "nir")


class Cover(IntEnum):
    """What lies on the ground."""

    GRASS = 0
    SCRUB = 1
    FOREST_FLOOR = 2
    SOIL = 3
    SAND = 4
    ASPHALT = 5
    CONCRETE = 6
    GRAVEL = 7
    LAWN = 8
    DIRT_YARD = 9
    PAVED_YARD = 10
    CEREAL = 11
    SUMMER_CROP = 12
    PASTURE = 13
    TILLED = 14
    FALLOW = 15
    RUBBLE = 16
    CLEARED = 17
    SLAB = 18
    ROCK = 19
    MUD = 20
    POND = 21
    DRY_GROUND = 22
    PATH = 23
    PAINT = 24
    RAIL = 25
    BALLAST = 26
    POOL = 27
    FENCE = 28
    PITCH = 29
    COAL = 30
    RED_COURT = 31


GREEN = np.array([0.052, 0.085, 0.036, 0.38], np.float32)
LUSH = np.array([0.045, 0.105, 0.030, 0.48], np.float32)
DRY = np.array([0.215, 0.182, 0.130, 0.29], np.float32)
BROWN = np.array([0.125, 0.105, 0.072, 0.20], np.float32)
SOIL = np.array([0.185, 0.145, 0.100, 0.25], np.float32)
PALE_SOIL = np.array([0.300, 0.252, 0.190, 0.36], np.float32)
RED_SOIL = np.array([0.270, 0.165, 0.105, 0.33], np.float32)
GOLD = np.array([0.270, 0.222, 0.135, 0.36], np.float32)

_STATIC: dict[Cover, tuple[tuple[float, ...], tuple[float, ...], float, float]] = {
    # cover: colour a, colour b, texture, streaks
    Cover.SAND: ((0.38, 0.335, 0.255, 0.44), (0.31, 0.27, 0.20, 0.36), 0.06, 0.0),
    Cover.ASPHALT: ((0.118, 0.114, 0.108, 0.13), (0.155, 0.149, 0.140, 0.17), 0.06, 0.06),
    Cover.CONCRETE: ((0.255, 0.245, 0.225, 0.29), (0.215, 0.208, 0.195, 0.25), 0.08, 0.03),
    Cover.GRAVEL: ((0.215, 0.190, 0.150, 0.26), (0.280, 0.245, 0.195, 0.33), 0.15, 0.05),
    Cover.DIRT_YARD: ((0.215, 0.180, 0.135, 0.27), (0.165, 0.140, 0.103, 0.22), 0.22, 0.0),
    Cover.PAVED_YARD: ((0.235, 0.222, 0.200, 0.27), (0.175, 0.168, 0.155, 0.21), 0.13, 0.0),
    Cover.RUBBLE: ((0.285, 0.255, 0.220, 0.32), (0.135, 0.122, 0.108, 0.17), 0.42, 0.0),
    Cover.CLEARED: ((0.300, 0.245, 0.180, 0.36), (0.185, 0.148, 0.108, 0.25), 0.26, 0.05),
    Cover.SLAB: ((0.36, 0.345, 0.32, 0.40), (0.29, 0.28, 0.26, 0.33), 0.06, 0.0),
    Cover.ROCK: ((0.205, 0.190, 0.165, 0.23), (0.110, 0.104, 0.095, 0.14), 0.30, 0.0),
    Cover.MUD: ((0.165, 0.140, 0.108, 0.15), (0.125, 0.112, 0.088, 0.11), 0.08, 0.0),
    Cover.POND: ((0.040, 0.060, 0.055, 0.03), (0.060, 0.080, 0.065, 0.05), 0.05, 0.0),
    Cover.PAINT: ((0.42, 0.415, 0.39, 0.44), (0.30, 0.295, 0.28, 0.32), 0.1, 0.0),
    Cover.RAIL: ((0.09, 0.078, 0.065, 0.1), (0.13, 0.11, 0.09, 0.14), 0.1, 0.0),
    Cover.BALLAST: ((0.175, 0.155, 0.135, 0.2), (0.135, 0.12, 0.105, 0.16), 0.1, 0.02),
    Cover.POOL: ((0.12, 0.34, 0.42, 0.05), (0.10, 0.30, 0.38, 0.05), 0.04, 0.0),
    Cover.FENCE: ((0.14, 0.12, 0.098, 0.2), (0.23, 0.21, 0.18, 0.27), 0.2, 0.0),
    Cover.PITCH: ((0.075, 0.13, 0.055, 0.35), (0.11, 0.14, 0.07, 0.33), 0.06, 0.05),
    Cover.RED_COURT: ((0.24, 0.115, 0.085, 0.28), (0.2, 0.105, 0.08, 0.25), 0.05, 0.0),
    Cover.COAL: ((0.045, 0.043, 0.042, 0.05), (0.07, 0.066, 0.062, 0.08), 0.2, 0.0),
    Cover.PATH: ((0.255, 0.225, 0.175, 0.31), (0.205, 0.178, 0.136, 0.26), 0.09, 0.0),
}


@dataclass(frozen=True)
class SurfaceTable:
    """One row per patch of ground (field, yard, road, ...).

    ``cover`` (n,) values of ``Cover``; ``chance`` (n, 4) fixed random numbers in [0, 1] that set
    the patch apart from others of its cover; ``aridity`` of the place, 0 to 1.
    """

    cover: NDArray[np.uint8]
    chance: FloatArray
    aridity: float


@dataclass(frozen=True)
class Paint:
    """A date's look of every row of a table: two colours (n, 4), texture and streak strength."""

    first: FloatArray
    second: FloatArray
    texture: FloatArray
    streak: FloatArray


def paint(table: SurfaceTable, conditions: Conditions) -> Paint:
    """The colours of all patches at one date."""
    n = table.cover.size
    first = np.empty((n, 4), np.float32)
    second = np.empty((n, 4), np.float32)
    texture = np.empty(n, np.float32)
    streak = np.empty(n, np.float32)
    for cover in map(Cover, np.unique(table.cover)):
        rows = np.flatnonzero(table.cover == cover)
        chance = table.chance[rows]
        a, b, rough, lines = _cover_paint(cover, chance, conditions, table.aridity)
        first[rows], second[rows] = a, b
        texture[rows], streak[rows] = rough, lines
    brightness = 0.8 + 0.4 * table.chance[:, :1]
    # Asphalt pales with age: black when new, light grey after some years in the sun.
    asphalt = (table.cover == Cover.ASPHALT)[:, None]
    brightness = np.where(asphalt, 0.75 + 1.15 * table.chance[:, :1], brightness)
    warmth = (table.chance[:, 1:2] - 0.5) * np.array([0.10, 0.02, -0.12, 0.04], np.float32)
    paved = np.isin(table.cover, [Cover.ASPHALT, Cover.CONCRETE, Cover.SLAB])[:, None]
    tone = brightness * (1 + np.where(paved, 0.4, 1.0) * warmth)
    return Paint(first * tone, second * tone, texture, streak)


def _cover_paint(
    cover: Cover, chance: FloatArray, conditions: Conditions, aridity: float
) -> tuple[FloatArray, FloatArray, float, FloatArray | float]:
    if cover in _STATIC:
        a, b, rough, lines = _STATIC[cover]
        earth = cover in {Cover.CLEARED, Cover.DIRT_YARD, Cover.GRAVEL, Cover.MUD, Cover.PATH}
        wet = 1 - (0.35 if earth else 0.12) * conditions.wet
        return (
            np.asarray(a, np.float32) * wet + np.zeros_like(chance),
            np.asarray(b, np.float32) * wet + np.zeros_like(chance),
            rough,
            lines,
        )
    green = conditions.greenness * (1 - 0.75 * aridity)
    if cover in {Cover.GRASS, Cover.PASTURE, Cover.LAWN}:
        watered = {Cover.LAWN: 0.35, Cover.PASTURE: 0.15}.get(cover, 0.0)
        own = np.clip(green + watered * conditions.leaf + 0.3 * (chance[:, 2:3] - 0.5), 0, 1)
        return _mix(DRY, GREEN, own), _mix(DRY, GREEN, own * 0.55), 0.17, 0.03
    if cover == Cover.SCRUB:
        own = np.clip(0.6 * green + 0.3 * (chance[:, 2:3] - 0.5), 0, 1)
        soil = _soil(chance, aridity)
        return _mix(BROWN, GREEN, own), 0.5 * _mix(DRY, GREEN, own * 0.4) + 0.5 * soil, 0.26, 0.0
    if cover == Cover.FOREST_FLOOR:
        own = np.full_like(chance[:, :1], 0.7 * conditions.leaf)
        return _mix(BROWN, GREEN * 0.8, own), _mix(BROWN * 0.7, GREEN * 0.6, own), 0.2, 0.0
    soil = _soil(chance, aridity) * (1 - 0.35 * conditions.wet)
    if cover in {Cover.SOIL, Cover.DRY_GROUND}:
        cover_share = 0.25 if cover == Cover.SOIL else 0.12
        plants = _mix(DRY, GREEN, np.full_like(chance[:, :1], green))
        return soil, soil * (1 - cover_share * 2) + plants * cover_share * 2, 0.22, 0.03
    return _crop_paint(cover, chance, conditions, soil)


def _crop_paint(
    cover: Cover, chance: FloatArray, conditions: Conditions, soil: FloatArray
) -> tuple[FloatArray, FloatArray, float, FloatArray | float]:
    day = (conditions.day_of_year + 30 * (chance[:, 3:4] - 0.5)) % 366
    lines = 0.04 + 0.16 * chance[:, 2]
    if cover == Cover.CEREAL:
        growth = _ramp(day, 60, 115) * (1 - _ramp(day, 150, 172)) + 0.35 * _ramp(day, 290, 330)
        gold = _ramp(day, 150, 172) * (1 - _ramp(day, 182, 196))
        stubble = _ramp(day, 182, 196) * (1 - _ramp(day, 240, 265))
    elif cover == Cover.SUMMER_CROP:
        growth = _ramp(day, 155, 195) * (1 - _ramp(day, 250, 275))
        gold = _ramp(day, 250, 275) * (1 - _ramp(day, 285, 300))
        stubble = _ramp(day, 285, 300) * 0.5
    elif cover == Cover.FALLOW:
        growth = 0.55 * conditions.greenness * np.ones_like(day)
        gold, stubble = 0.2 * np.ones_like(day), 0.3 * np.ones_like(day)
    else:
        growth, gold, stubble = np.zeros_like(day), np.zeros_like(day), 0.1 * np.ones_like(day)
    growth = np.clip(growth, 0, 1)
    bare = np.clip(1 - growth - gold - stubble, 0, 1)
    total = growth + gold + stubble + bare
    colour = (
        growth * (GREEN + (LUSH - GREEN) * chance[:, :1])
        + gold * GOLD
        + stubble * (0.6 * DRY + 0.4 * soil)
        + bare * soil
    ) / total
    second = colour * 0.75 + soil * 0.25
    return colour, second, 0.10, lines


def _soil(chance: FloatArray, aridity: float) -> FloatArray:
    pale = np.clip(0.75 * aridity + 0.5 * (chance[:, 1:2] - 0.3), 0, 1)
    red = np.clip(chance[:, 3:4] - 0.72, 0, 1) * 2.5
    mixed = SOIL + (PALE_SOIL - SOIL) * pale
    return mixed + (RED_SOIL - mixed) * red * 0.6


def _mix(low: FloatArray, high: FloatArray, share: FloatArray) -> FloatArray:
    return low + (high - low) * share


def _ramp(day: FloatArray, start: float, end: float) -> FloatArray:
    return np.clip((day - start) / (end - start), 0, 1).astype(np.float32)
