"""When a site is looked at, and under which circumstances."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from groundbreak.simulate.conditions import Conditions, draw_conditions
from groundbreak.types import BoolArray


@dataclass(frozen=True)
class LookPlan:
    """One acquisition: when, under which sky, how far off.

    ``cloud_share`` of the ground is under cloud. ``cut`` is the edge of the swath as (angle,
    offset in sides), None when the whole site is inside.
    """

    date: datetime
    conditions: Conditions
    cloud_share: float
    shift_px: tuple[float, float]
    cut: tuple[float, float] | None

    def swath(self, shape: tuple[int, int]) -> BoolArray:
        """Where the sensor saw, (h, w)."""
        if self.cut is None:
            return np.ones(shape, bool)
        angle, offset = self.cut
        y = np.arange(shape[0])[:, None] / shape[0] - 0.5
        x = np.arange(shape[1])[None, :] / shape[1] - 0.5
        return np.asarray(x * np.cos(angle) + y * np.sin(angle) < offset)


def plan_looks(
    rng: np.random.Generator, start: datetime, days: float, count: int, shift_px: float
) -> list[LookPlan]:
    """Plan the acquisitions of a site.

    Gaps vary by a factor of about five. With six looks or more, one of the inner ones is mostly
    cloudy, the one nearest to midwinter snowy, and another one cut by the edge of the swath;
    of the rest about every third has some clouds.
    """
    gaps = rng.uniform(0.35, 1.8, count - 1)
    at = np.concatenate([[0.0], np.cumsum(gaps) / gaps.sum() * days])
    dates = [start + timedelta(days=round(float(day)), minutes=int(rng.integers(40))) for day in at]
    snowy = cloudy = cut = -1
    if count >= 6:
        inner = list(range(1, count - 1))
        winter = [abs((date.timetuple().tm_yday + 172) % 365 - 182) for date in dates]
        snowy = min(inner, key=lambda i: winter[i])
        rest = [i for i in inner if i != snowy]
        cloudy, cut = (int(i) for i in rng.choice(rest, 2, replace=False))
    plans = []
    for number, date in enumerate(dates):
        snow = float(rng.uniform(0.45, 0.8)) if number == snowy else 0.0
        share = float(rng.uniform(0.02, 0.12)) if rng.random() < 0.35 else 0.0
        if number == cloudy:
            share = float(rng.uniform(0.45, 0.6))
        elif number in {0, count - 1, snowy}:
            share = 0.0
        shift = rng.uniform(-shift_px, shift_px, 2) if number else np.zeros(2)
        plans.append(
            LookPlan(
                date,
                draw_conditions(rng, date, snow=snow, off_nadir_deg=6.0),
                share,
                (float(shift[0]), float(shift[1])),
                (float(rng.uniform(0, 6.28)), float(rng.uniform(0.0, 0.2)))
                if number == cut
                else None,
            )
        )
    return plans
