"""What is never the same twice: vehicles, ships, containers, stockpiles, cranes."""

from __future__ import annotations

import numpy as np

from groundbreak.simulate.layers import Layers, Rect, lay, raise_to, rect_pixels
from groundbreak.simulate.port import Port
from groundbreak.types import FloatArray

_VEHICLES = np.array([0.07, 0.12, 0.3, 0.55, 0.62, 0.2], np.float32)
_DECKS = np.array(
    [
        (0.24, 0.10, 0.07, 0.27),
        (0.30, 0.29, 0.27, 0.32),
        (0.12, 0.20, 0.15, 0.20),
        (0.45, 0.45, 0.44, 0.45),
        (0.13, 0.15, 0.20, 0.15),
    ],
    np.float32,
)
_CONTAINERS = np.array(
    [
        (0.26, 0.10, 0.075, 0.30),
        (0.08, 0.14, 0.25, 0.20),
        (0.33, 0.33, 0.32, 0.35),
        (0.10, 0.17, 0.12, 0.20),
        (0.32, 0.22, 0.09, 0.36),
        (0.14, 0.14, 0.15, 0.16),
        (0.20, 0.15, 0.12, 0.22),
    ],
    np.float32,
)
_PILES = np.array(
    [
        (0.05, 0.048, 0.046, 0.05),
        (0.33, 0.29, 0.22, 0.38),
        (0.19, 0.12, 0.09, 0.22),
        (0.24, 0.23, 0.21, 0.26),
    ],
    np.float32,
)


def draw_vehicles(layers: Layers, rng: np.random.Generator, places: FloatArray) -> None:
    """Cars and lorries on about half of the places (n, 3) of x, y, heading."""
    if layers.grid.step > 0.9:
        return
    for x, y, heading in places[rng.random(len(places)) < 0.5]:
        lorry = rng.random() < 0.06
        length = rng.uniform(7, 11) if lorry else rng.uniform(3.9, 5.0)
        rect = Rect(float(x), float(y), length, 2.4 if lorry else 1.8, float(heading))
        pixels = rect_pixels(layers.grid, rect)
        if pixels is None or layers.height[pixels.window].max() > 1.8:
            continue
        colour = np.full(4, _VEHICLES[rng.integers(_VEHICLES.size)], np.float32)
        if rng.random() < 0.2:
            colour = colour * np.array([1.5, 0.6, 0.5, 1.0], np.float32)[rng.permutation(4)]
        ahead = np.abs(pixels.u - 0.5)
        glass = np.where((ahead > 0.7) & (ahead < 1.4), np.float32(0.4), np.float32(1))
        lay(layers, pixels.window, pixels.cover, colour[: layers.bands] * glass[..., None])
        raise_to(layers, pixels.window, pixels.cover, 3.0 if lorry else 1.5)


def draw_port(layers: Layers, rng: np.random.Generator, port: Port) -> None:
    """Ships at some berths, goods on the yards, a crane or two."""
    chance = rng.uniform(0.3, 0.85)
    for berth in port.berths:
        if rng.random() < chance:
            _moor(layers, rng, berth)
    for number, yard in enumerate(port.yards):
        stacks = np.random.default_rng([number, int(abs(yard.x) * 10)]).random() < 0.6
        if stacks:
            _stack(layers, rng, yard)
        else:
            _pile(layers, rng, yard)
    for berth in port.berths[:: max(1, len(port.berths) // 3)]:
        if rng.random() < 0.6:
            _crane(layers, rng, port, berth)


def _moor(layers: Layers, rng: np.random.Generator, berth: Rect) -> None:
    length = berth.length * rng.uniform(0.4, 0.95)
    width = float(np.clip(length * rng.uniform(0.12, 0.2), 3.5, berth.width))
    turn = rng.normal(0, 0.015) + (np.pi if rng.random() < 0.5 else 0)
    slide = rng.uniform(-0.5, 0.5) * (berth.length - length)
    ship = berth.at(slide, 0.0, length, width)
    _ship(layers, rng, Rect(ship.x, ship.y, length, width, ship.angle + turn))


def _ship(layers: Layers, rng: np.random.Generator, rect: Rect) -> None:
    """A hull with a pointed bow, hatches and a deckhouse near the stern."""
    pixels = rect_pixels(layers.grid, rect)
    if pixels is None:
        return
    nose = np.clip((rect.length / 2 - pixels.u) / (1.3 * rect.width), 0, 1) ** 0.6
    inside = rect.width / 2 * nose - np.abs(pixels.v)
    hull = np.clip(inside / layers.grid.step + 0.5, 0, 1) * pixels.cover
    deck = _DECKS[rng.integers(len(_DECKS))][: layers.bands]
    tone = 1 + 0.14 * layers.grain[pixels.window]
    lay(layers, pixels.window, hull, deck * tone[..., None])
    freeboard = float(np.clip(rect.width * 0.35, 1.0, 8.0))
    raise_to(layers, pixels.window, hull, freeboard)
    holds = int(np.clip(rect.length * 0.6 / 14, 0, 8))
    for i in range(holds):
        u = -rect.length * 0.18 + (i + 0.5) * rect.length * 0.58 / holds
        shade = np.full(4, rng.choice([0.1, 0.2, 0.34]), np.float32)
        if rng.random() < 0.3:
            shade = np.array([0.27, 0.12, 0.08, 0.3], np.float32)
        hold = rect.at(u, 0, rect.length * 0.45 / holds, rect.width * 0.6)
        _block(layers, hold, shade, freeboard + 1)
    house = rect.at(-rect.length * 0.36, 0, rect.length * 0.13, rect.width * 0.75)
    white = np.array([0.52, 0.52, 0.5, 0.5], np.float32)
    _block(layers, house, white, freeboard + rect.width * 0.6)
    bridge = rect.at(-rect.length * 0.34, 0, rect.length * 0.03, rect.width * 0.9)
    _block(layers, bridge, white * np.float32(0.6), freeboard + rect.width * 0.8)


def _stack(layers: Layers, rng: np.random.Generator, yard: Rect) -> None:
    """Containers in rows, fuller at some dates than at others."""
    full = rng.uniform(0.3, 0.95)
    for u in np.arange(6.5 - yard.length / 2, yard.length / 2 - 6, 13.2):
        if rng.random() > full:
            continue
        for v in np.arange(1.8 - yard.width / 2, yard.width / 2 - 1.2, 2.9):
            if rng.random() < 0.22:
                continue
            colour = _CONTAINERS[rng.integers(len(_CONTAINERS))] * np.float32(rng.uniform(0.7, 1.2))
            spot = yard.at(float(u) + rng.normal(0, 0.15), float(v), 12.2, 2.5)
            _block(layers, spot, colour, 2.6 * int(rng.integers(1, 4)))


def _pile(layers: Layers, rng: np.random.Generator, yard: Rect) -> None:
    """Heaps of coal, sand or ore; their sizes change."""
    kind = _PILES[int(abs(yard.y)) % len(_PILES)]
    u = -yard.length / 2 + 4
    while u < yard.length / 2 - 8:
        long = float(rng.uniform(8, 26))
        wide = float(min(yard.width, rng.uniform(7, 18)))
        if rng.random() < 0.7:
            pixels = rect_pixels(layers.grid, yard.at(u + long / 2, 0, long, wide))
            if pixels is not None:
                away = np.hypot(pixels.u / (long / 2), pixels.v / (wide / 2))
                away = away + np.float32(0.1) * layers.grain[pixels.window]
                cover = np.clip((1 - away) * 4, 0, 1) * pixels.cover
                tone = 1 + 0.12 * layers.grain[pixels.window]
                lay(layers, pixels.window, cover, kind[: layers.bands] * tone[..., None])
                heap = np.float32(wide * 0.3) * np.clip(1 - away, 0, 1)
                raise_to(layers, pixels.window, cover, heap)
        u += long + rng.uniform(1, 6)


def _crane(layers: Layers, rng: np.random.Generator, port: Port, berth: Rect) -> None:
    """A portal crane: two beams on the quay and a jib over the water."""
    u, _ = port.frame.to_local(np.array([berth.x]), np.array([berth.y]))
    along = float(u[0] + rng.uniform(-0.3, 0.3) * berth.length)
    colour = np.array([(0.5, 0.3, 0.08, 0.5), (0.12, 0.22, 0.4, 0.3), (0.5, 0.5, 0.5, 0.5)])
    paint = colour[rng.integers(3)].astype(np.float32)
    for offset, start, end in ((-5.0, 2.0, 13.0), (5.0, 2.0, 13.0), (0.0, -18.0, 22.0)):
        x, y = port.frame.to_world(np.array([along + offset]), np.array([(start + end) / 2]))
        beam = Rect(float(x[0]), float(y[0]), end - start, 1.3, port.frame.angle + np.pi / 2)
        _block(layers, beam, paint, 3.5 if offset else 7.0)


def _block(layers: Layers, rect: Rect, colour: FloatArray, top: float) -> None:
    pixels = rect_pixels(layers.grid, rect)
    if pixels is not None:
        lay(layers, pixels.window, pixels.cover, colour[: layers.bands])
        raise_to(layers, pixels.window, pixels.cover, top)
