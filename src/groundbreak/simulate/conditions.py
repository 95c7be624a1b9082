"""What differs from one date to the next: sun, season, snow, tide, air, the camera's mood."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import acos, asin, cos, pi, radians, sin, tan

import numpy as np


@dataclass(frozen=True)
class Conditions:
    """One date's circumstances.

    Angles are radians; ``azimuth`` runs clockwise from north to where the sun stands.
    ``greenness`` and ``leaf`` are 0 (dead season) to 1; ``snow`` 0 to 1 the depth of the cover;
    ``wet`` darkens soils; ``tide_m`` above mean sea level; ``haze`` is the optical depth of the
    veil; ``sky`` the share of the light that comes from the sky; ``lean`` the ground offset
    (x, y) in metres per metre of height. ``seed`` draws whatever else changes.
    """

    when: datetime
    azimuth: float
    elevation: float
    greenness: float
    leaf: float
    snow: float
    wet: float
    tide_m: float
    haze: float
    sky: float
    turbid: float
    waves: float
    lean: tuple[float, float]
    seed: int

    @property
    def rng(self) -> np.random.Generator:
        """A generator that always starts at the same place for this date."""
        return np.random.default_rng(self.seed)

    @property
    def day_of_year(self) -> int:
        """1 to 366."""
        return self.when.timetuple().tm_yday

    @property
    def sun(self) -> tuple[float, float, float]:
        """Unit vector to the sun: x east, y south, z up."""
        flat = cos(self.elevation)
        return sin(self.azimuth) * flat, -cos(self.azimuth) * flat, sin(self.elevation)

    @property
    def shadow_per_metre(self) -> float:
        """Length of the shadow of one metre of height."""
        return 1.0 / tan(self.elevation)


def sun_position(day_of_year: int, solar_hour: float, latitude: float) -> tuple[float, float]:
    """Azimuth and elevation in radians, after the usual low-precision declination formula."""
    declination = radians(-23.44) * cos(2 * pi * (day_of_year + 10) / 365.25)
    hour = radians(15 * (solar_hour - 12))
    phi = radians(latitude)
    sine = sin(phi) * sin(declination) + cos(phi) * cos(declination) * cos(hour)
    elevation = asin(max(-1.0, min(1.0, sine)))
    cosine = (sin(declination) - sin(phi) * sine) / (cos(phi) * max(cos(elevation), 1e-6))
    azimuth = acos(max(-1.0, min(1.0, cosine)))
    return (2 * pi - azimuth if hour > 0 else azimuth), elevation


def season(day_of_year: int, latitude: float = 40.0) -> tuple[float, float]:
    """Greenness and leafiness of a temperate place, 0 to 1."""
    day = day_of_year if latitude >= 0 else (day_of_year + 182) % 365
    green = _bump(day, 95, 330, 45)
    leaf = _bump(day, 115, 310, 25)
    dry_summer = 0.45 * _bump(day, 190, 265, 35)
    return max(0.0, green - dry_summer), leaf


def draw_conditions(
    rng: np.random.Generator,
    when: datetime,
    latitude: float = 40.0,
    snow: float | None = None,
    off_nadir_deg: float = 8.0,
) -> Conditions:
    """Draw one date's circumstances.

    Args:
        rng: source of chance.
        when: acquisition time; its hour is replaced by a mid-morning to midday solar hour.
        latitude: degrees, for the sun and the season.
        snow: depth of snow 0 to 1; None lets chance decide in winter.
        off_nadir_deg: the steepest view drawn.
    """
    day = when.timetuple().tm_yday
    azimuth, elevation = sun_position(day, rng.uniform(9.8, 13.6), latitude)
    greenness, leaf = season(day, latitude)
    cold = leaf < 0.05
    chance_of_snow = rng.random() < 0.12 and cold
    depth = rng.uniform(0.25, 1.0) if chance_of_snow else 0.0
    off_nadir = radians(off_nadir_deg) * rng.random() ** 1.5
    view = rng.uniform(0, 2 * pi)
    return Conditions(
        when=when,
        azimuth=azimuth,
        elevation=max(elevation, radians(17)),
        greenness=float(np.clip(greenness + rng.normal(0, 0.13), 0, 1)),
        leaf=float(np.clip(leaf + rng.normal(0, 0.06), 0, 1)),
        snow=depth if snow is None else snow,
        wet=float(rng.beta(1.3, 3.0)),
        tide_m=float(rng.uniform(-1.1, 1.1)),
        haze=float(rng.gamma(1.6, 0.05)),
        sky=float(rng.uniform(0.12, 0.3)),
        turbid=float(rng.beta(1.5, 2.0)),
        waves=float(rng.uniform(0.2, 1.0)),
        lean=(tan(off_nadir) * cos(view), tan(off_nadir) * sin(view)),
        seed=int(rng.integers(2**31)),
    )


def random_date(rng: np.random.Generator) -> datetime:
    """Any day of a few years."""
    return datetime(2020, 1, 1, 2, tzinfo=UTC) + timedelta(days=int(rng.integers(0, 1461)))


def _bump(day: float, start: float, end: float, ramp: float) -> float:
    rise = 1 / (1 + np.exp(-(day - start) / (ramp / 4)))
    fall = 1 / (1 + np.exp((day - end) / (ramp / 4)))
    return float(rise * fall)
