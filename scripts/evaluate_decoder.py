"""Score objects, decoder and chains on simulated observations: no pixels, no network.

Every simulated object is looked at through gaps, clouds and shifts, and every pair of looks says
what a change detector would (`groundbreak.simulate.observations`). So errors of the dates are told
apart from errors of the pixels. Prints one JSON document.

    python scripts/evaluate_decoder.py --sites 200 --seed 1
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.affinity import scale, translate
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from groundbreak.config import DetectConfig
from groundbreak.evaluate.dates import SaidEvent, TrueEvent
from groundbreak.evaluate.temporal import temporal_scores
from groundbreak.events.build import EventsConfig, SiteObservations, events_of
from groundbreak.events.evidence import ObjectEvidence
from groundbreak.events.looks import LookMeta, PairKey
from groundbreak.events.objects import follow_objects
from groundbreak.events.vectorize import Candidate, VectorConfig
from groundbreak.simulate.buildings import footprint
from groundbreak.simulate.observations import (
    CELL_M,
    SITE_M,
    ObservationConfig,
    ObservedSite,
    simulate_observations,
)
from groundbreak.times import Span
from groundbreak.types import KINDS, Box

CHANGED = 3.0
"""Log-odds that the simulated detector says at least of most changes; networks are less sure."""

Observed = tuple[list[Candidate], list[ObjectEvidence]]


def looks_of(site: ObservedSite) -> list[LookMeta]:
    """The looks as the events room knows them."""
    return [
        LookMeta(
            f"L{number:03}",
            date,
            date,
            (f"S{number:03}",),
            clear_share=float(site.usable[:, number].mean()),
            residual_px=float(site.residual_px[number]),
            aligned=bool(site.aligned[number]),
        )
        for number, date in enumerate(site.dates)
    ]


def observe(
    site: ObservedSite, looks: Sequence[LookMeta], config: EventsConfig, reach: int
) -> Observed:
    """Patches of change and evidence over every footprint.

    Args:
        site: simulated.
        looks: of the site.
        config: says when a look counts.
        reach: 1 compares each usable look with the one before it, 2 also around what that shows,
            as `groundbreak.pipeline.pairs.plan_longer` does.
    """
    vectors = VectorConfig()
    rng = np.random.default_rng(site.seed)
    found: list[Candidate] = []
    evidence = []
    for number, rect in enumerate(site.footprints):
        counted = np.flatnonzero(site.usable[number] >= config.evidence.min_usable).tolist()
        steps = list(pairwise(range(len(counted))))
        if reach > 1:
            for i, j in list(steps):
                near = site.probabilities(number, counted[i], counted[j])
                if suspicious(near, vectors):
                    steps += [(i - 1, j), (i, j + 1)]
        pairs = {}
        for i, j in sorted(set(steps)):
            if i < 0 or j == len(counted):
                continue
            said = site.probabilities(number, counted[i], counted[j])
            key = PairKey(looks[counted[i]].id, looks[counted[j]].id)
            pairs[key] = said
            for kind, value in zip(KINDS, said[1:], strict=True):
                if value >= vectors.thresholds[kind]:
                    patch = ragged(rng, footprint([rect]))
                    found.append(Candidate(kind, key, patch, Box(0, 1, 0, 1), value, value))
        evidence.append(ObjectEvidence(tuple(float(u) for u in site.usable[number]), pairs))
    return found, evidence


def suspicious(said: Sequence[float], vectors: VectorConfig) -> bool:
    """Whether a pair shows at least what a patch grows to."""
    return any(
        value >= vectors.low_ratio * vectors.thresholds[kind]
        for kind, value in zip(KINDS, said[1:], strict=True)
    )


def ragged(rng: np.random.Generator, outline: BaseGeometry) -> BaseGeometry:
    """A footprint as a pair draws it: a little larger or smaller, a little beside."""
    return translate(scale(outline, *rng.normal(1, 0.06, 2)), *rng.normal(0, 0.4, 2))


def run_site(
    site: ObservedSite, config: EventsConfig, reach: int
) -> tuple[list[TrueEvent], list[SaidEvent], dict[str, list[Span]]]:
    """One site: truth, events, usable looks by true event."""
    looks = looks_of(site)
    found, evidence = observe(site, looks, config, reach)
    objects = follow_objects(site.id, found, looks, config.objects)
    cells = {cell_of(footprint([rect])): number for number, rect in enumerate(site.footprints)}
    seen = [evidence[cells[cell_of(tracked.footprint)]] for tracked in objects]
    side = round(SITE_M / 0.5)
    grid = GeoBox((side, side), Affine(0.5, 0, 0, 0, -0.5, SITE_M), "EPSG:32652")
    observations = SiteObservations(
        site.id, site.id, box(0, 0, SITE_M, SITE_M), grid, looks, pairs=[]
    )
    events, _ = events_of(observations, objects, seen, config)
    truth, usable = [], {}
    for true in site.truth:
        if true.end_datetime is None:
            continue
        number = cells[cell_of(true.footprint)]
        truth.append(
            TrueEvent(
                true.id,
                site.id,
                true.kind,
                true.footprint,
                true.start_datetime,
                true.end_datetime,
                (true.replaces,) if true.replaces else (),
            )
        )
        usable[true.id] = [
            look.span
            for look, share in zip(looks, evidence[number].usable, strict=True)
            if share >= config.evidence.min_usable
        ]
    return truth, [SaidEvent.of(event) for event in events], usable


def cell_of(shape: BaseGeometry) -> tuple[int, int]:
    """The square that an object has to itself."""
    return int(shape.centroid.x // CELL_M), int(shape.centroid.y // CELL_M)


def evaluate(
    sites: int, seed: int, config: EventsConfig, noise: ObservationConfig, reach: int
) -> dict[str, object]:
    """All figures over many sites."""
    truth, said, years = [], [], 0.0
    looks: dict[str, list[Span]] = {}
    for number in range(sites):
        site = simulate_observations(seed, noise, number)
        true, events, usable = run_site(site, config, reach)
        truth += true
        said += events
        looks |= usable
        years += site.years
    scores = temporal_scores(truth, said, looks, years)
    return scores | {"sites": sites, "site_years": years, "seed": seed, "reach": reach}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sites", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--reach", type=int, default=2, choices=(1, 2))
    parser.add_argument("--perfect", action="store_true", help="evidence without any error")
    parser.add_argument("--min-confidence", type=float, help="wins over all of the settings")
    options = parser.parse_args()
    config = DetectConfig().settings(options.min_confidence).events
    emission = replace(config.decode.emission, changed=CHANGED)
    config = replace(config, decode=replace(config.decode, emission=emission))
    noise = ObservationConfig.perfect() if options.perfect else ObservationConfig()
    scores = evaluate(options.sites, options.seed, config, noise, options.reach)
    print(json.dumps(scores, indent=2, default=str))


if __name__ == "__main__":
    main()
