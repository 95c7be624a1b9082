"""Quays, piers and basins built out from the shore; slips cut into them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from groundbreak.simulate.grid import Frame
from groundbreak.simulate.land import NOWHERE, Land
from groundbreak.simulate.layers import Rect, rect_pixels
from groundbreak.simulate.surfaces import Cover

QUAY_M = 2.8
"""Height of a quay above mean sea."""
DREDGED_M = -8.0

Span = tuple[float, float, float, float]
"""A rectangle of the port's frame: u from, u to, v from, v to."""


@dataclass(frozen=True)
class Port:
    """A port on the shore: ``frame`` has u along the quay and v inland, v = 0 the quay's edge.

    ``berths`` are where ships may lie, ``yards`` where goods are stacked, ``halls`` where
    warehouses stand; ``taken`` are the stretches (from, to) along u where the quay has a pier, a
    basin or something on it.
    """

    frame: Frame
    length: float
    depth: float
    berths: list[Rect] = field(default_factory=list)
    yards: list[Rect] = field(default_factory=list)
    halls: list[Rect] = field(default_factory=list)
    taken: list[tuple[float, float]] = field(default_factory=list)

    def free_quay(self, rng: np.random.Generator, land: Land, width: float) -> float:
        """Middle of an unbroken stretch of quay on the raster; the stretch is taken then.

        Raises:
            ValueError: there is none.
        """
        x0, y0, x1, y1 = land.grid.extent
        edge = 0.08 * (x1 - x0)
        for _ in range(60):
            u = float(rng.uniform(-0.5, 0.5) * (self.length - width))
            x, y = self.frame.to_world(np.array([u]), np.array([0.0]))
            inside = x0 + edge < x[0] < x1 - edge and y0 + edge < y[0] < y1 - edge
            low, high = u - width / 2, u + width / 2
            if inside and all(high < a or low > b for a, b in self.taken):
                self.taken.append((low, high))
                return u
        raise ValueError("no unbroken stretch of quay is long enough")


def build_port(
    rng: np.random.Generator, land: Land, frame: Frame, length: float, bare: float = 0.35
) -> Port:
    """Reclaim a straight quay with piers and basins; changes the land's rasters in place.

    Args:
        rng: source of chance.
        land: the ground plan to build on.
        frame: the shore's axes.
        length: of the quay, metres.
        bare: share of the quay that is left without anything, which slips can be cut into.
    """
    port = Port(frame, length, float(rng.uniform(70, 170)))
    paving = Cover.CONCRETE if rng.random() < 0.7 else Cover.PAVED_YARD
    half = length / 2
    _approach(land, frame, (-half - 40, half + 40, -150.0, 0.0))
    _pave(land, frame, (-half, half, 0.0, port.depth), paving)
    u = -half + rng.uniform(10, 40)
    while u < half - 40:
        kind = rng.choice(["quay", "pier", "basin", "bare"], p=_shares(bare))
        u += _stretch(rng, land, port, str(kind), float(u), paving)
    _edges(rng, land, port)
    return port


def slip_rect(frame: Frame, u: float, length: float, width: float, shore: float = 0.0) -> Rect:
    """A slip cut inland whose mouth is at v = ``shore`` of the frame, 3 m of it outside."""
    return _world(frame, (u - width / 2, u + width / 2, shore - 3.0, shore + length), across=True)


def piered_slip(
    frame: Frame, u: float, length: float, width: float, pier: float
) -> tuple[Rect, tuple[Rect, Rect]]:
    """A slip of open water in front of the quay, and the two new piers that make it one."""
    low, high = u - width / 2, u + width / 2
    slip = _world(frame, (low, high, -length, 0.0), across=True)
    west = _world(frame, (low - pier, low, -length, 1.0), across=True)
    east = _world(frame, (high, high + pier, -length, 1.0), across=True)
    return slip, (west, east)


def shore_at(land: Land, frame: Frame, u: float, reach: float) -> float | None:
    """Where the land begins along v at ``u``, within ``reach`` metres; None when nowhere."""
    v = np.arange(-reach, reach, 2.0)
    x, y = frame.to_world(np.full(v.size, u), v)
    x0, y0, x1, y1 = land.grid.extent
    inside = (x > x0) & (x < x1) & (y > y0) & (y < y1)
    dry = (land.elevation[land.grid.cell(x, y)] > 1.2) & inside
    wet_before = np.concatenate([[False], (~dry & inside)[:-1]])
    found = np.flatnonzero(dry & wet_before)
    return float(v[found[-1]]) if found.size else None


def _shares(bare: float) -> list[float]:
    rest = 1 - bare
    return [0.5 * rest, 0.25 * rest, 0.25 * rest, bare]


def _stretch(
    rng: np.random.Generator, land: Land, port: Port, kind: str, u: float, paving: Cover
) -> float:
    """Build one stretch of the quay from u on; returns how long it is."""
    frame = port.frame
    if kind == "pier":
        width, reach = rng.uniform(8, 30), rng.uniform(50, 130)
        _pave(land, frame, (u, u + width, -reach, 1.0), paving)
        port.taken.append((u - 5, u + width + 5))
        for side in (u - 9, u + width + 9):
            port.berths.append(
                _world(frame, (side - 7, side + 7, -0.9 * reach, -0.1 * reach), across=True)
            )
        if width > 20 and rng.random() < 0.6:
            port.halls.append(
                _world(frame, (u + 5, u + width - 5, -0.8 * reach, -0.2 * reach), across=True)
            )
        return float(width + rng.uniform(35, 70))
    if kind == "basin":
        width, reach = rng.uniform(18, 45), rng.uniform(50, min(120, port.depth - 5))
        _dredge(land, frame, (u, u + width, -1.0, reach))
        port.taken.append((u - 8, u + width + 8))
        middle = u + width / 2
        port.berths.append(
            _world(frame, (middle - 7, middle + 7, 0.15 * reach, 0.85 * reach), across=True)
        )
        return float(width + rng.uniform(25, 60))
    if kind == "bare":
        return float(rng.uniform(45, 100))
    reach = rng.uniform(50, 120)
    port.taken.append((u, u + reach))
    port.berths.append(_world(frame, (u + 0.05 * reach, u + 0.95 * reach, -19, -3)))
    if rng.random() < 0.5:
        port.yards.append(_world(frame, (u + 4, u + reach - 4, 24, rng.uniform(38, 60))))
        if port.depth > 100:
            port.halls.append(_world(frame, (u + 6, u + reach - 6, 72, port.depth - 8)))
    else:
        port.halls.append(_world(frame, (u + 5, u + reach - 5, 24, 24 + rng.uniform(18, 38))))
        if port.depth > 110:
            port.yards.append(_world(frame, (u + 5, u + reach - 5, 76, port.depth - 12)))
    return float(reach + rng.uniform(8, 30))


def _edges(rng: np.random.Generator, land: Land, port: Port) -> None:
    """Crane rails and a road along the quay, where it is paved."""
    half = port.length / 2
    for v, wide, cover in (
        (2.2, 0.5, Cover.RAIL),
        (12.5, 0.5, Cover.RAIL),
        (17.5, float(rng.uniform(5, 8)), Cover.ASPHALT),
    ):
        if wide < land.grid.step:
            continue
        pixels = rect_pixels(land.grid, _world(port.frame, (-half, half, v, v + wide)))
        if pixels is None:
            continue
        dry = (pixels.cover > 0.5) & (land.elevation[pixels.window] > 1.5)
        land.surface[pixels.window][dry] = land.surface_of(cover)


def _world(frame: Frame, span: Span, across: bool = False) -> Rect:
    """A rectangle of the frame on the plane; ``across``: its length runs along v."""
    u0, u1, v0, v1 = (float(value) for value in span)
    x, y = frame.to_world(np.array([(u0 + u1) / 2]), np.array([(v0 + v1) / 2]))
    if across:
        return Rect(float(x[0]), float(y[0]), v1 - v0, u1 - u0, frame.angle + np.pi / 2)
    return Rect(float(x[0]), float(y[0]), u1 - u0, v1 - v0, frame.angle)


def _pave(land: Land, frame: Frame, span: Span, cover: Cover) -> None:
    pixels = rect_pixels(land.grid, _world(frame, span))
    if pixels is None:
        return
    where, window = pixels.cover > 0.5, pixels.window
    land.elevation[window][where] = QUAY_M
    land.surface[window][where] = land.surface_of(cover)
    land.furrow[window][where] = pixels.u[where]
    land.street[window][where] = True
    land.trees[window][where] = 0
    land.district[window][where] = NOWHERE


def _approach(land: Land, frame: Frame, span: Span) -> None:
    """Deepen the water in front of the quay, gently from the sea to the quay."""
    pixels = rect_pixels(land.grid, _world(frame, span))
    if pixels is None:
        return
    window = pixels.window
    from_sea = np.minimum(pixels.inside_u, pixels.v + np.float32((span[3] - span[2]) / 2))
    level = np.maximum(DREDGED_M, -0.6 - 0.1 * from_sea)
    old = land.elevation[window]
    land.elevation[window] = np.where(pixels.cover > 0.5, np.minimum(old, level), old)
    drowned = (pixels.cover > 0.5) & (land.elevation[window] < 0)
    land.street[window][drowned] = False
    land.trees[window][drowned] = 0
    land.district[window][drowned] = NOWHERE


def _dredge(land: Land, frame: Frame, span: Span) -> None:
    pixels = rect_pixels(land.grid, _world(frame, span))
    if pixels is None:
        return
    where, window = pixels.cover > 0.5, pixels.window
    land.elevation[window][where] = DREDGED_M
    land.street[window][where] = False
    land.trees[window][where] = 0
    land.district[window][where] = NOWHERE
