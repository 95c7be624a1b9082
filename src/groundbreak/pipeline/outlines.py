"""Outlines of the patches of change in a pair: drawn once, and kept beside the map of the pair.

``PAIR/outlines.json`` holds them with a digest of all that they depend on. A look that is added to
a run changes few pairs; the outlines of the others are taken as they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import shapely
from odc.geo.geobox import GeoBox

from groundbreak import __version__
from groundbreak.atomic import write_json
from groundbreak.events.checks import check_positive, check_share
from groundbreak.events.looks import PairKey
from groundbreak.events.vectorize import Candidate, VectorConfig, candidates_streamed
from groundbreak.kept import kept_json
from groundbreak.model.card import Card
from groundbreak.pipeline.maps import SiteMaps
from groundbreak.raster.grid import blocks
from groundbreak.types import KINDS, Box, Kind

BLOCK = 1024
"""Side of the blocks that outlines are drawn in."""


@dataclass(frozen=True)
class OutlineConfig:
    """When a patch of change becomes a polygon; what is not given is as the card says.

    Attributes:
        thresholds: probability that a pixel of the patch must reach, per kind.
        min_area_m2: least area, per kind.
        low_ratio: the patch grows to pixels of this share of the threshold.
        simplify_px: how far an outline may move when it is simplified, in pixels.
    """

    thresholds: Mapping[Kind, float] = field(default_factory=dict)
    min_area_m2: Mapping[Kind, float] = field(default_factory=dict)
    low_ratio: float = 0.6
    simplify_px: float = 0.5

    def __post_init__(self) -> None:
        check_share("thresholds", *self.thresholds.values())
        check_share("low_ratio", self.low_ratio)
        check_positive("min_area_m2", *self.min_area_m2.values())

    def over(self, card: Card) -> VectorConfig:
        """The card's operating point with what was set here put over it."""
        return VectorConfig(
            thresholds={**card.thresholds, **self.thresholds},
            low_ratio=self.low_ratio,
            min_area_m2={**card.min_area_m2, **self.min_area_m2},
            simplify_px=self.simplify_px,
        )


def outlines(maps: SiteMaps, pair: PairKey, grid: GeoBox, config: VectorConfig) -> list[Candidate]:
    """The patches of change of a pair, drawn now or by an earlier run.

    Raises:
        OutputError: the folder of the pair's map cannot be written.
    """
    path = maps.layers(pair)[-1][0].folder / "outlines.json"
    key = _key(maps, pair, grid, config)
    kept = kept_json(path, lambda document: _patches(document, key, pair))
    if kept is not None:
        return kept
    read = partial(maps.read, pair)
    patches = candidates_streamed(read, blocks(grid, BLOCK), grid, pair, config)
    document = {"key": key, "patches": [_entry(patch) for patch in patches]}
    write_json(path, document, indent=None)
    return patches


def _key(maps: SiteMaps, pair: PairKey, grid: GeoBox, config: VectorConfig) -> str:
    basis = [
        __version__,
        [[stored.key, around] for stored, around in maps.layers(pair)],
        [list(grid.affine)[:6], list(grid.shape), str(grid.crs)],
        [[config.thresholds[kind], config.min_area_m2[kind]] for kind in KINDS],
        [config.low_ratio, config.simplify_px],
    ]
    return hashlib.sha256(json.dumps(basis).encode()).hexdigest()[:32]


def _patches(document: dict[str, Any], key: str, pair: PairKey) -> list[Candidate] | None:
    if document["key"] != key:
        return None
    return [_patch(pair, entry) for entry in document["patches"]]


def _entry(patch: Candidate) -> dict[str, Any]:
    # Binary, because an outline that was kept must be the one that was drawn to the last bit.
    return {
        "kind": patch.kind.value,
        "polygon": shapely.to_wkb(patch.polygon, hex=True),
        "box": list(patch.box),
        "mean": patch.mean,
        "peak": patch.peak,
        "at_edge": patch.at_edge,
    }


def _patch(pair: PairKey, entry: dict[str, Any]) -> Candidate:
    return Candidate(
        kind=Kind(entry["kind"]),
        pair=pair,
        polygon=shapely.from_wkb(entry["polygon"]),
        box=Box(*entry["box"]),
        mean=entry["mean"],
        peak=entry["peak"],
        at_edge=entry["at_edge"],
    )
