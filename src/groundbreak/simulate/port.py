"""Quays, piers, basins and what lies at them; slips cut into the shore."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from groundbreak.simulate.grid import Frame
from groundbreak.simulate.land import Land
from groundbreak.simulate.layers import Layers, Rect, lay, raise_to, rect_pixels
from groundbreak.simulate.surfaces import Cover

QUAY_M = 2.8
"""Height of a quay above mean sea."""
DREDGED_M = -8.0


@dataclass(frozen=True)
class Port:
    """A port on the shore: ``frame`` has u along the quay and v inland, v = 0 the quay's edge.

    ``berths`` are where ships may lie, ``yards`` where containers are stacked; ``taken`` are the
    stretches (from, to) along u where the quay has a pier or a basin.
    """

    frame: Frame
    length: float
    berths: list[Rect] = field(default_factory=list)
    yards: list[Rect] = field(default_factory=list)
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


def build_port(rng: np.random.Generator, land: Land, frame: Frame, length: float) -> Port:
    """Reclaim a straight quay with piers and basins; changes the land's rasters in place."""
    depth = rng.uniform(60, 160)
    port = Port(frame, length)
    paving = Cover.CONCRETE if rng.random() < 0.7 else Cover.PAVED_YARD
    _block(land, frame, (-length / 2, length / 2, 0.0, depth), QUAY_M, paving)
    _block(land, frame, (-length / 2 - 30, length / 2 + 30, -140.0, 0.0), DREDGED_M, None)
    u = -length / 2 + rng.uniform(10, 40)
    while u < length / 2 - 40:
        kind = rng.choice(["quay", "pier", "basin"], p=[0.5, 0.25, 0.25])
        if kind == "pier":
            width, reach = rng.uniform(8, 30), rng.uniform(50, 130)
            _block(land, frame, (u, u + width, -reach, 1.0), QUAY_M, paving)
            port.taken.append((u - 5, u + width + 5))
            for side in (u - 9, u + width + 9):
                port.berths.append(_world(frame, side, -reach / 2, reach * 0.8, 14, across=True))
            u += width + rng.uniform(35, 70)
        elif kind == "basin":
            width, reach = rng.uniform(18, 45), rng.uniform(50, min(120, depth - 5))
            _block(land, frame, (u, u + width, -1.0, reach), DREDGED_M, None)
            port.taken.append((u - 8, u + width + 8))
            port.berths.append(
                _world(frame, u + width / 2, reach / 2, reach * 0.7, 14, across=True)
            )
            u += width + rng.uniform(25, 60)
        else:
            reach = rng.uniform(50, 110)
            port.berths.append(_world(frame, u + reach / 2, -11, reach * 0.85, 16))
            port.yards.append(
                _world(frame, u + reach / 2, rng.uniform(28, 45), reach * 0.8, rng.uniform(15, 32))
            )
            u += reach + rng.uniform(5, 30)
    return port


def slip_rect(frame: Frame, u: float, length: float, width: float, overlap: float = 3.0) -> Rect:
    """A slip whose mouth is at the shore line v = 0 of the frame."""
    return _world(frame, u, length / 2 - overlap, length + overlap * 2, width, across=True)


def draw_ships(layers: Layers, rng: np.random.Generator, berths: list[Rect], chance: float) -> None:
    """Ships at some of the berths, each turned by some degrees at most."""
    for berth in berths:
        if rng.random() > chance:
            continue
        length = berth.length * rng.uniform(0.4, 0.95)
        width = float(np.clip(length * rng.uniform(0.12, 0.2), 3.5, berth.width))
        turn = rng.normal(0, 0.015) + (np.pi if rng.random() < 0.5 else 0)
        slide = rng.uniform(-0.5, 0.5) * (berth.length - length)
        x = berth.x + slide * np.cos(berth.angle)
        y = berth.y + slide * np.sin(berth.angle)
        draw_ship(layers, rng, Rect(float(x), float(y), length, width, berth.angle + turn))


def draw_ship(layers: Layers, rng: np.random.Generator, rect: Rect) -> None:
    """A hull with a pointed bow, hatches and a deckhouse near the stern."""
    pixels = rect_pixels(layers.grid, rect)
    if pixels is None:
        return
    nose = np.clip((rect.length / 2 - pixels.u) / (1.3 * rect.width), 0, 1) ** 0.6
    inside = rect.width / 2 * nose - np.abs(pixels.v)
    hull = np.clip(inside / layers.grid.step + 0.5, 0, 1) * pixels.cover
    deck = np.array(
        [
            (0.24, 0.10, 0.07, 0.27),
            (0.30, 0.29, 0.27, 0.32),
            (0.12, 0.2, 0.15, 0.2),
            (0.45, 0.45, 0.44, 0.45),
            (0.13, 0.15, 0.2, 0.15),
        ],
        np.float32,
    )[rng.integers(5)][: layers.bands]
    tone = 1 + 0.12 * layers.grain[pixels.window]
    lay(layers, pixels.window, hull, deck * tone[..., None])
    freeboard = float(np.clip(rect.width * 0.35, 1.0, 8.0))
    raise_to(layers, pixels.window, hull, QUAY_M * 0.4 + freeboard)
    holds = int(np.clip(rect.length * 0.6 / 14, 0, 8))
    for i in range(holds):
        u = -rect.length * 0.18 + (i + 0.5) * rect.length * 0.58 / holds
        shade = rng.choice([0.1, 0.2, 0.34]) * np.array([1.0, 1.0, 1.0, 1.0], np.float32)
        if rng.random() < 0.3:
            shade = np.array([0.3, 0.12, 0.08, 0.3], np.float32)
        _deck(layers, rect, u, rect.length * 0.45 / holds, rect.width * 0.6, shade, freeboard + 1)
    white = np.array([0.62, 0.62, 0.6, 0.6], np.float32)
    _deck(
        layers,
        rect,
        -rect.length * 0.36,
        rect.length * 0.13,
        rect.width * 0.75,
        white,
        freeboard + rect.width * 0.6,
    )


def draw_containers(layers: Layers, rng: np.random.Generator, yards: list[Rect]) -> None:
    """Stacks of containers and crates, another set each time."""
    colours = np.array(
        [
            (0.30, 0.10, 0.07, 0.3),
            (0.08, 0.16, 0.30, 0.2),
            (0.36, 0.36, 0.35, 0.38),
            (0.10, 0.20, 0.13, 0.22),
            (0.38, 0.25, 0.08, 0.4),
            (0.15, 0.15, 0.16, 0.17),
        ],
        np.float32,
    )
    for yard in yards:
        columns, rows = int(yard.length / 13), int(yard.width / 3.2)
        c, s = np.cos(yard.angle), np.sin(yard.angle)
        for i in range(columns):
            if rng.random() < 0.35:
                continue
            for j in range(rows):
                if rng.random() < 0.25:
                    continue
                u, v = (i + 0.5) * 13 - yard.length / 2, (j + 0.5) * 3.2 - yard.width / 2
                box = Rect(
                    float(yard.x + u * c - v * s),
                    float(yard.y + u * s + v * c),
                    12.2,
                    2.5,
                    yard.angle,
                )
                pixels = rect_pixels(layers.grid, box)
                if pixels is None:
                    continue
                colour = colours[rng.integers(6)] * np.float32(rng.uniform(0.7, 1.2))
                lay(layers, pixels.window, pixels.cover, colour[: layers.bands])
                raise_to(layers, pixels.window, pixels.cover, 2.6 * int(rng.integers(1, 4)))


def _deck(
    layers: Layers,
    ship: Rect,
    u: float,
    length: float,
    width: float,
    colour: np.ndarray,
    top: float,
) -> None:
    x = ship.x + u * np.cos(ship.angle)
    y = ship.y + u * np.sin(ship.angle)
    pixels = rect_pixels(layers.grid, Rect(float(x), float(y), length, width, ship.angle))
    if pixels is not None:
        lay(layers, pixels.window, pixels.cover, colour[: layers.bands])
        raise_to(layers, pixels.window, pixels.cover, top)


def _world(
    frame: Frame, u: float, v: float, length: float, width: float, across: bool = False
) -> Rect:
    x, y = frame.to_world(np.array([u]), np.array([v]))
    turn = np.pi / 2 if across else 0.0
    return Rect(float(x[0]), float(y[0]), float(length), float(width), frame.angle + turn)


def _block(
    land: Land,
    frame: Frame,
    span: tuple[float, float, float, float],
    elevation: float,
    cover: Cover | None,
) -> None:
    u0, u1, v0, v1 = span
    rect = _world(frame, (u0 + u1) / 2, (v0 + v1) / 2, u1 - u0, v1 - v0)
    pixels = rect_pixels(land.grid, rect)
    if pixels is None:
        return
    where = pixels.cover > 0.5
    land.elevation[pixels.window][where] = elevation
    land.trees[pixels.window][where] = 0
    if cover is not None:
        land.surface[pixels.window][where] = land.surface_of(cover)
        land.furrow[pixels.window][where] = pixels.u[where]
        land.street[pixels.window][where] = True
