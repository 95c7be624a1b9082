"""Score objects, decoder and chains on simulated observations: no pixels, no network.

Draws sites with plots on which buildings rise and fall and berths are dug, looks at them through
random gaps and clouds, and draws what the network would say of every pair: right most of the
time, unsure while works are under way, misled by single looks, fooled by other lasting changes.
The densities it draws from are not those that the decoder assumes. Prints one JSON document.

    python scripts/evaluate_decoder.py --sites 200 --seed 1
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.geometry import Polygon, box

from groundbreak.evaluate.dates import SaidEvent, TrueEvent
from groundbreak.evaluate.temporal import temporal_scores
from groundbreak.events.build import EventsConfig, SiteObservations, events_of
from groundbreak.events.evidence import ObjectEvidence
from groundbreak.events.looks import Box, LookMeta, PairKey, in_date_order
from groundbreak.events.objects import TrackedObject, follow_objects
from groundbreak.events.vectorize import Candidate
from groundbreak.times import Span
from groundbreak.types import KINDS, Event, Kind

START = datetime(2021, 1, 1, tzinfo=UTC)
SIDE_M = 60.0
"""Plots lie on a square lattice of this spacing."""
ACROSS = 6
"""Plots in a row."""


@dataclass(frozen=True)
class Noise:
    """How wrong looks and pairs are."""

    clouded: float = 0.25
    misled: float = 0.002
    bad_looks: float = 0.01
    disturbed_per_year: float = 0.015
    missed: float = 0.015
    jumps: float = 0.25


@dataclass(frozen=True)
class Happening:
    """One true event of a plot, in days."""

    kind: Kind
    begun: float
    done: float


@dataclass
class Plot:
    """A building's plot or a berth: what happened, and other lasting changes of its ground."""

    footprint: Polygon
    happenings: list[Happening] = field(default_factory=list)
    stands_at_first: bool = False
    disturbed: list[float] = field(default_factory=list)
    slip: bool = False

    def stage(self, day: float) -> str:
        """``without``, ``under way up``, ``under way down`` or ``with``."""
        now = "with" if self.stands_at_first else "without"
        for h in self.happenings:
            up = h.kind is not Kind.DEMOLITION
            if day >= h.done:
                now = "with" if up else "without"
            elif day >= h.begun:
                now = "under way up" if up else "under way down"
        return now


def draw_plots(rng: np.random.Generator, years: float, noise: Noise) -> list[Plot]:
    """About 30 plots: half stay as they are, the rest change once or twice."""
    plots = []
    last = years * 365.25
    for number in range(ACROSS * ACROSS - int(rng.integers(10))):
        x, y = (number % ACROSS) * SIDE_M + 15, (number // ACROSS) * SIDE_M + 15
        w, h = rng.uniform(8, 30, 2)
        plot = Plot(box(x, y, x + w, y + h))
        plot.disturbed = list(rng.uniform(0, last, rng.poisson(noise.disturbed_per_year * years)))
        fate = rng.random()
        begun = float(rng.uniform(-0.1, 1.05) * last)
        works = float(np.exp(rng.normal(np.log(60), 0.9)))
        if fate < 0.25:
            plot.stands_at_first = True
        elif fate < 0.5:
            pass
        elif fate < 0.70:
            plot.happenings = [Happening(Kind.NEW_BUILDING, begun, begun + works)]
        elif fate < 0.82:
            plot.stands_at_first = True
            plot.happenings = [Happening(Kind.DEMOLITION, begun, begun + works / 5)]
        elif fate < 0.92:
            plot.stands_at_first = True
            again = begun + works / 5 + float(rng.uniform(10, 300))
            plot.happenings = [
                Happening(Kind.DEMOLITION, begun, begun + works / 5),
                Happening(Kind.NEW_BUILDING, again, again + works),
            ]
        else:
            plot.slip = True
            plot.footprint = box(x, y, x + 28, y + 12)
            if fate < 0.96:
                plot.happenings = [Happening(Kind.DOCKING_SLIP, begun, begun + works)]
            else:
                plot.stands_at_first = bool(rng.random() < 0.5)
        plots.append(plot)
    return plots


def draw_looks(rng: np.random.Generator) -> list[LookMeta]:
    """Looks with gaps of 3 to 120 days."""
    gaps = np.exp(rng.uniform(np.log(3), np.log(120), int(rng.integers(5, 22))))
    looks = []
    for number, day in enumerate(np.concatenate([[0.0], np.cumsum(gaps)])):
        moment = START + timedelta(days=float(day))
        residual = float(min(abs(rng.normal(0, 0.5)), 1.5)) if number else 0.0
        looks.append(
            LookMeta(f"L{number:02}", moment, moment, (f"S{number:02}",), residual_px=residual)
        )
    return looks


def say(
    rng: np.random.Generator,
    plot: Plot,
    days: tuple[float, float],
    shown: tuple[str, str],
    blur: float,
    noise: Noise,
) -> tuple[float, float, float, float]:
    """What the network says of a pair: mean (none, new, demolition, slip) over the footprint."""
    before, after = shown
    change = None
    if before == after:
        sure = rng.normal(3.4, 1.0)
        if any(days[0] < day <= days[1] for day in plot.disturbed):
            sure = rng.normal(0.4, 1.5)
    elif "under way" in before + after:
        change = "up" if "up" in before + after else "down"
        sure = rng.normal(0.0, 1.3)
        sure = -sure
    else:
        change = "up" if after == "with" else "down"
        sure = -rng.normal(2.0, 1.1)
        if rng.random() < noise.missed:
            sure = rng.normal(2.5, 1.0)
    none = 1 / (1 + np.exp(-(sure * (1 - 0.25 * blur))))
    shares = rng.dirichlet([0.7, 0.7, 0.15])
    if change is not None:
        channel = 2 if plot.slip else 0 if change == "up" else 1
        if plot.slip and change == "down":
            none = 1 / (1 + np.exp(-rng.normal(0.8, 1.0)))
        else:
            shares = 0.12 * shares
            shares[channel] += 0.88
    new, torn, slip = (1 - none) * shares
    return float(none), float(new), float(torn), float(slip)


def observe(
    rng: np.random.Generator, plots: list[Plot], looks: list[LookMeta], noise: Noise
) -> tuple[list[Candidate], dict[int, ObjectEvidence]]:
    """Candidates of all pairs, and the evidence over each plot."""
    days = [(look.start - START) / timedelta(days=1) for look in looks]
    bad = rng.random(len(looks)) < noise.bad_looks
    found: list[Candidate] = []
    evidence: dict[int, ObjectEvidence] = {}
    for number, plot in enumerate(plots):
        usable = [
            1.0 if rng.random() > noise.clouded else float(rng.uniform(0, 0.9)) for _ in looks
        ]
        counted = [n for n, share in enumerate(usable) if share >= 0.5]
        stages = [plot.stage(day) for day in days]
        for n in range(len(looks)):
            if rng.random() < (0.3 if bad[n] else noise.misled):
                stages[n] = "without" if stages[n] == "with" else "with"
        links = list(pairwise(counted))
        links += [p for p in zip(counted, counted[2:], strict=False) if rng.random() < noise.jumps]
        pairs = {}
        for i, j in links:
            blur = max(looks[i].residual_px or 0, looks[j].residual_px or 0)
            said = say(rng, plot, (days[i], days[j]), (stages[i], stages[j]), blur, noise)
            key = PairKey(looks[i].id, looks[j].id)
            pairs[key] = said
            for kind, value in zip(KINDS, said[1:], strict=True):
                if value + rng.uniform(0, 0.15) >= 0.5:
                    found.append(draw_candidate(rng, plot, kind, key, value))
        evidence[number] = ObjectEvidence(tuple(usable), pairs)
    return found, evidence


def draw_candidate(
    rng: np.random.Generator, plot: Plot, kind: Kind, pair: PairKey, value: float
) -> Candidate:
    """The plot's footprint with ragged edges."""
    west, south, east, north = np.array(plot.footprint.bounds) + rng.normal(0, 0.6, 4)
    outline = box(west, south, east, north)
    return Candidate(kind, pair, outline, Box(0, 1, 0, 1), value, min(value + 0.1, 1.0))


def true_events(plots: list[Plot], site: str, last: float) -> list[TrueEvent]:
    """What can be known of the truth between the first and the last look."""
    events = []
    for number, plot in enumerate(plots):
        earlier: str | None = None
        for h in plot.happenings:
            if h.done <= 0 or h.begun >= last:
                continue
            name = f"{site}-{number}-{h.kind.value}"
            events.append(
                TrueEvent(
                    name,
                    site,
                    h.kind,
                    plot.footprint,
                    START + timedelta(days=h.begun),
                    START + timedelta(days=h.done),
                    (earlier,) if earlier and h.kind is Kind.NEW_BUILDING else (),
                )
            )
            earlier = name
    return events


def said_event(event: Event) -> SaidEvent:
    """What the score looks at."""
    return SaidEvent(
        event.id,
        event.site_id,
        event.kind,
        event.geometry,
        event.interval,
        event.confidence,
        event.date_confidence,
        event.replaces,
        event.provisional,
    )


def run_site(
    seed: int, number: int, config: EventsConfig, noise: Noise
) -> tuple[list[TrueEvent], list[SaidEvent], dict[str, list[Span]], float]:
    """One site: truth, events, usable looks by true event, years."""
    rng = np.random.default_rng([seed, number])
    looks = list(in_date_order(draw_looks(rng)))
    years = (looks[-1].start - looks[0].start) / timedelta(days=365.25)
    plots = draw_plots(rng, years, noise)
    found, evidence = observe(rng, plots, looks, noise)
    site = f"site{number}"
    objects = follow_objects(site, found, looks, config.objects)
    side = SIDE_M * ACROSS
    observations = SiteObservations(
        site,
        site,
        box(0, 0, side, side),
        GeoBox((720, 720), Affine(0.5, 0, 0, 0, -0.5, side), "EPSG:32652"),
        looks,
        [],
    )
    seen = [evidence[plot_of(tracked, plots)] for tracked in objects]
    events, _ = events_of(observations, objects, seen, config)
    truth = true_events(plots, site, (looks[-1].start - START) / timedelta(days=1))
    usable = {}
    for event in truth:
        shares = evidence[int(event.id.split("-")[1])].usable
        usable[event.id] = [k.span for k, s in zip(looks, shares, strict=True) if s >= 0.5]
    return truth, [said_event(event) for event in events], usable, years


def plot_of(tracked: TrackedObject, plots: list[Plot]) -> int:
    """The plot that an object stands on."""
    point = tracked.footprint.centroid
    return int(point.y // SIDE_M) * ACROSS + int(point.x // SIDE_M)


def evaluate(sites: int, seed: int, config: EventsConfig, noise: Noise) -> dict[str, object]:
    """All figures over many sites."""
    truth, said, looks, years = [], [], {}, 0.0
    for number in range(sites):
        t, s, usable, y = run_site(seed, number, config, noise)
        truth += t
        said += s
        looks |= usable
        years += y
    return temporal_scores(truth, said, looks, years) | {"sites": sites, "site_years": years}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--min-confidence", type=float, default=EventsConfig().min_confidence)
    options = parser.parse_args()
    config = replace(EventsConfig(), min_confidence=options.min_confidence)
    print(json.dumps(evaluate(options.sites, options.seed, config, Noise()), indent=2, default=str))


if __name__ == "__main__":
    main()
