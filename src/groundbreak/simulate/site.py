"""A fictional coastal site: dated looks and the exact truth about what happened there."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from groundbreak.raster.grid import utm_code
from groundbreak.simulate.clouds import cover_with, draw_clouds
from groundbreak.simulate.grid import DrawGrid
from groundbreak.simulate.labels import pair_label
from groundbreak.simulate.place import build_place
from groundbreak.simulate.plan import EventCounts
from groundbreak.simulate.render import render
from groundbreak.simulate.schedule import LookPlan, plan_looks
from groundbreak.simulate.sensor import develop, draw_camera, expose, quantise, veil
from groundbreak.simulate.truth import TruthEvent, to_lonlat, to_utm, true_events
from groundbreak.simulate.world import World
from groundbreak.types import BoolArray, Site

OCEAN = (-150.0, 40.0)
"""Lon/lat of the first site: open ocean, so that nobody takes it for a real place."""

MARGIN_PX = 8
"""Drawn around a look, so that shifts and blur find something at its edges."""


@dataclass(frozen=True)
class SimulationConfig:
    """What is simulated.

    ``size_px`` pixels of ``gsd_m`` metres a side; ``bands`` 3 (RGB) or 4 (RGB and near
    infrared); ``encoding`` uint8 (stretched as image suppliers do) or uint16 (reflectance times
    10 000). The looks: ``looks`` dates over ``days`` from ``start``, of which one is mostly
    cloudy, one snowy and one cut by the edge of the swath; ``shift_px`` bounds the
    misregistration. ``drawn_px`` drawing pixels make up one pixel, per side.
    """

    size_px: int = 1280
    gsd_m: float = 0.5
    bands: Literal[3, 4] = 3
    encoding: Literal["uint8", "uint16"] = "uint8"
    start: datetime = datetime(2023, 3, 4, 2, 20, tzinfo=UTC)
    days: float = 430.0
    looks: int = 8
    shift_px: float = 0.8
    drawn_px: int = 2
    events: EventCounts = field(default_factory=EventCounts)

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated.

        Raises:
            ValueError: a number is out of range.
        """
        if self.size_px < 64 or self.looks < 2 or self.drawn_px < 1:
            raise ValueError("at least 64 pixels, 2 looks and 1 drawing pixel are needed")
        if not 0.2 <= self.gsd_m <= 15 or not 0 <= self.shift_px <= 3 or self.days <= 0:
            raise ValueError("gsd_m must be 0.2 to 15, shift_px 0 to 3 and days positive")


@dataclass(frozen=True)
class RenderedLook:
    """One simulated acquisition.

    ``pixels`` (bands, h, w) in the configured encoding, 0 outside the swath; ``valid`` inside
    the swath; ``cloud`` and ``shadow`` exact masks; ``shift_px`` how far the content is displaced
    from its true place, (dx, dy).
    """

    date: datetime
    pixels: NDArray[np.uint8] | NDArray[np.uint16]
    valid: BoolArray
    cloud: BoolArray
    shadow: BoolArray
    shift_px: tuple[float, float]

    @property
    def usable(self) -> BoolArray:
        """Where the ground is seen."""
        return self.valid & ~self.cloud & ~self.shadow


@dataclass(frozen=True)
class SimulatedSite:
    """A simulated site; ``render`` draws its looks one by one."""

    site: Site
    geobox: GeoBox
    config: SimulationConfig
    world: World
    plans: tuple[LookPlan, ...]
    truth: tuple[TruthEvent, ...]
    unchanged: tuple[BaseGeometry, ...]

    @property
    def dates(self) -> tuple[datetime, ...]:
        """Acquisition times, in order."""
        return tuple(plan.date for plan in self.plans)

    def day(self, index: int) -> float:
        """A look's time on the time axis of the works, in days."""
        return (self.dates[index] - self.config.start) / timedelta(days=1)

    def render(self, index: int) -> RenderedLook:
        """Draw one look; the same index always gives the same pixels."""
        plan, config = self.plans[index], self.config
        drawing = render(self.world, plan.conditions, self.day(index))
        rng = np.random.default_rng([plan.conditions.seed, 3])
        camera = draw_camera(rng, config.gsd_m)
        light = expose(drawing, config.drawn_px, plan.shift_px, camera)
        light = light[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]
        shape = (config.size_px, config.size_px)
        layer = draw_clouds(rng, shape, config.gsd_m, plan.cloud_share, plan.conditions)
        valid = plan.swath(shape)
        seen = veil(cover_with(light, layer, rng, plan.conditions.sky), plan.conditions)
        clear = veil(light, plan.conditions)
        pixels: NDArray[np.uint8] | NDArray[np.uint16]
        if config.encoding == "uint8":
            pixels = np.maximum(develop(seen, camera, rng, clear), 1)
        else:
            pixels = quantise(seen, camera, rng)
        pixels = np.moveaxis(pixels, 2, 0) * valid
        return RenderedLook(
            plan.date, pixels, valid, layer.cloudy & valid, layer.shaded & valid, plan.shift_px
        )

    def label(self, before: int, after: int) -> NDArray[np.uint8]:
        """Exact change between two looks, uint8 (h, w) of ``MaskValue``; masks not applied."""
        full = pair_label(
            self.world.grid,
            self.world.works,
            self.day(before),
            self.day(after),
            self.config.drawn_px,
        )
        return full[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]


def simulate_site(
    seed: int, config: SimulationConfig | None = None, number: int = 0
) -> SimulatedSite:
    """Lay out a fictional coastal site and decide what happens there.

    Args:
        seed: the same seed gives the same site.
        config: what to simulate.
        number: place in a series of sites; sets where in the ocean the site lies, and its id.
    """
    config = config or SimulationConfig()
    rng = np.random.default_rng([seed, number, 41])
    geobox = _geobox(config, number)
    plans = plan_looks(rng, config.start, config.days, config.looks, config.shift_px)
    last = (plans[-1].date - config.start) / timedelta(days=1)
    step = config.gsd_m / config.drawn_px
    edge = MARGIN_PX * config.gsd_m
    across = (config.size_px + 2 * MARGIN_PX) * config.drawn_px
    grid = DrawGrid(-edge, -edge, step, (across, across))
    place = build_place(rng, grid, config.bands, config.events, last)
    site = _site(geobox, number, seed)
    truth = true_events(place.works, site.id, geobox, (config.start, last))
    unchanged = tuple(to_utm(item.footprint, geobox) for item in place.buildings)
    return SimulatedSite(site, geobox, config, place, tuple(plans), truth, unchanged)


def _geobox(config: SimulationConfig, number: int) -> GeoBox:
    lon, lat = OCEAN[0] + 0.25 * (number % 12), OCEAN[1] - 0.25 * (number // 12)
    crs = utm_code(lon, lat)
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(lon, lat)
    gsd = config.gsd_m
    west, north = round(x / gsd) * gsd, round(y / gsd) * gsd
    return GeoBox((config.size_px, config.size_px), Affine(gsd, 0, west, 0, -gsd, north), crs)


def _site(geobox: GeoBox, number: int, seed: int) -> Site:
    left, bottom, right, top = geobox.boundingbox.bbox
    edge = 0.03 * (right - left)
    area = to_lonlat(box(left + edge, bottom + edge, right - edge, top - edge), geobox)
    return Site(
        id=f"sim-{seed}-{number + 1}",
        name=f"Simulated coast {number + 1} (fictional)",
        geometry=area,
        properties={"simulated": True, "seed": seed},
    )
