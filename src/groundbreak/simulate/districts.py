"""Kinds of neighbourhood: how they are cut into plots, what covers the plots, what stands there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from groundbreak.simulate.buildings import Use
from groundbreak.simulate.grid import StripRule
from groundbreak.simulate.surfaces import Cover


@dataclass(frozen=True)
class Style:
    """A kind of neighbourhood.

    ``covers`` weighs what covers the plots. ``street_m`` is the range of street widths and
    ``street`` their cover; ``bend_m`` how far streets wander. ``use`` weighs what is built, a
    plot being built on with chance ``built``; ``fill`` (low, high) is the building's share of the
    plot along and across, ``max_size_m`` its largest length and width. ``trees`` is the density
    of tree crowns on the plots, ``hedge`` the chance of a planted plot edge. ``walk`` covers
    ``walk_m`` metres on either side of the streets, ``fence`` the edges of the plots;
    ``painted`` streets have a centre line. Up to ``crowd`` buildings share a plot.
    """

    rule: StripRule
    covers: Mapping[Cover, float]
    street_m: tuple[float, float] = (0.0, 0.0)
    street: Cover = Cover.GRAVEL
    bend_m: float = 0.0
    use: Mapping[Use, float] = field(default_factory=dict)
    built: float = 0.0
    fill: tuple[tuple[float, float], tuple[float, float]] = ((0.5, 0.8), (0.4, 0.7))
    max_size_m: tuple[float, float] = (30.0, 20.0)
    trees: float = 0.0
    hedge: float = 0.0
    walk: Cover | None = None
    walk_m: float = 0.0
    fence: Cover | None = None
    painted: bool = False
    crowd: int = 1


_CROPS = {
    Cover.CEREAL: 3.0,
    Cover.SUMMER_CROP: 2.5,
    Cover.PASTURE: 1.2,
    Cover.TILLED: 1.5,
    Cover.FALLOW: 1.5,
}

STYLES: dict[str, Style] = {
    "fields": Style(
        StripRule((45, 150), (18, 110), every=3),
        _CROPS,
        (2.5, 4.5),
        trees=0.0,
        hedge=0.25,
        bend_m=12,
        use={Use.HUT: 1},
        built=0.05,
        fill=((0.05, 0.1), (0.05, 0.1)),
        max_size_m=(9, 6),
    ),
    "strips": Style(
        StripRule((25, 70), (7, 26), every=2),
        _CROPS,
        (2.0, 3.5),
        trees=0.0,
        hedge=0.12,
        bend_m=6,
        use={Use.HUT: 1},
        built=0.02,
        fill=((0.2, 0.3), (0.05, 0.1)),
        max_size_m=(8, 5),
    ),
    "farms": Style(
        StripRule((60, 120), (45, 110), every=2, block=(250, 420)),
        {Cover.PASTURE: 3, Cover.GRASS: 2, Cover.FALLOW: 1, Cover.LAWN: 1},
        (4, 6),
        Cover.ASPHALT,
        15,
        {Use.HOUSE: 3, Use.HALL: 1, Use.VILLA: 1, Use.HUT: 1},
        0.6,
        ((0.15, 0.3), (0.1, 0.2)),
        (28, 16),
        trees=0.12,
        hedge=0.4,
        crowd=2,
    ),
    "village": Style(
        StripRule((12.5, 17), (9, 15), every=2, block=(50, 120)),
        {Cover.DIRT_YARD: 3, Cover.PAVED_YARD: 2, Cover.GRASS: 0.6},
        (3.2, 5.5),
        Cover.GRAVEL,
        3,
        {Use.FARMHOUSE: 5, Use.HOUSE: 1},
        0.93,
        ((0.85, 0.98), (0.8, 0.95)),
        (14, 15),
        trees=0.06,
        fence=Cover.CONCRETE,
    ),
    "rows": Style(
        StripRule((13, 17), (24, 58), every=2, block=(70, 150)),
        {Cover.DIRT_YARD: 3, Cover.PAVED_YARD: 2},
        (3.0, 5.0),
        Cover.PAVED_YARD,
        use={Use.ROW: 1},
        built=0.95,
        fill=((0.93, 1.0), (0.5, 0.62)),
        max_size_m=(60, 9),
        trees=0.04,
        fence=Cover.CONCRETE,
    ),
    "hamlet": Style(
        StripRule((22, 32), (16, 30), every=2, block=(90, 180)),
        {Cover.GRASS: 2, Cover.DIRT_YARD: 2, Cover.LAWN: 1, Cover.SUMMER_CROP: 1},
        (3.5, 5.5),
        Cover.ASPHALT,
        18,
        {Use.HOUSE: 5, Use.FARMHOUSE: 1, Use.HUT: 2},
        0.72,
        ((0.5, 0.75), (0.3, 0.5)),
        (18, 12),
        trees=0.22,
        hedge=0.2,
        fence=Cover.FENCE,
    ),
    "suburb": Style(
        StripRule((27, 35), (15, 22), every=2, block=(140, 280)),
        {Cover.LAWN: 5, Cover.GRASS: 1},
        (7.5, 10),
        Cover.ASPHALT,
        22,
        {Use.VILLA: 1},
        0.95,
        ((0.68, 0.86), (0.45, 0.58)),
        (20, 19),
        trees=0.18,
        walk=Cover.CONCRETE,
        walk_m=1.5,
        fence=Cover.FENCE,
    ),
    "industry": Style(
        StripRule((45, 100), (40, 110), every=2, block=(180, 330)),
        {Cover.CONCRETE: 3, Cover.PAVED_YARD: 3, Cover.GRAVEL: 1.5, Cover.GRASS: 0.7},
        (7, 11),
        Cover.ASPHALT,
        0,
        {Use.HALL: 1},
        0.88,
        ((0.45, 0.85), (0.4, 0.8)),
        (110, 80),
        trees=0.03,
        walk=Cover.GRASS,
        walk_m=2.0,
        fence=Cover.FENCE,
        painted=True,
        crowd=3,
    ),
    "blocks": Style(
        StripRule((34, 52), (52, 85), every=2, block=(130, 240)),
        {Cover.LAWN: 2, Cover.PAVED_YARD: 2, Cover.GRASS: 1},
        (8, 13),
        Cover.ASPHALT,
        0,
        {Use.BLOCK: 1},
        0.85,
        ((0.6, 0.85), (0.26, 0.36)),
        (70, 15),
        trees=0.22,
        walk=Cover.PAVED_YARD,
        walk_m=3.0,
        painted=True,
    ),
    "wood": Style(StripRule((150, 300), (150, 300), every=0), {Cover.FOREST_FLOOR: 1}, trees=0.97),
    "scrub": Style(
        StripRule((100, 260), (100, 260), every=0), {Cover.SCRUB: 3, Cover.GRASS: 1}, trees=0.22
    ),
    "open": Style(
        StripRule((120, 260), (120, 260), every=0),
        {Cover.GRASS: 2, Cover.DRY_GROUND: 1, Cover.SOIL: 1},
        trees=0.014,
    ),
    "bare": Style(
        StripRule((60, 160), (60, 160), every=2),
        {Cover.CLEARED: 3, Cover.SOIL: 1, Cover.GRAVEL: 1, Cover.DRY_GROUND: 1},
        (5, 9),
        Cover.GRAVEL,
        10,
        {Use.HUT: 1},
        built=0.3,
        fill=((0.1, 0.2), (0.05, 0.1)),
        max_size_m=(14, 7),
        trees=0.01,
        crowd=2,
    ),
    "greenhouses": Style(
        StripRule((45, 85), (8.5, 11.5), every=1, block=(90, 180)),
        {Cover.DIRT_YARD: 2, Cover.GRAVEL: 1, Cover.TILLED: 2},
        (2.5, 4.0),
        Cover.PATH,
        0,
        {Use.GREENHOUSE: 1},
        0.8,
        ((0.7, 0.8), (0.85, 0.95)),
        (9, 82),
    ),
    "ponds": Style(
        StripRule((60, 120), (50, 130), every=3),
        {Cover.POND: 4, Cover.MUD: 1, Cover.FALLOW: 0.5},
        (3, 4.5),
        Cover.GRAVEL,
        5,
        {Use.HUT: 1},
        0.1,
        ((0.05, 0.1), (0.05, 0.1)),
        (9, 5),
        hedge=0.1,
    ),
}

PLACES: dict[str, dict[str, float]] = {
    "countryside": {"fields": 4, "strips": 2, "hamlet": 1.5, "wood": 1.5, "scrub": 1, "farms": 1},
    "village": {
        "village": 2,
        "rows": 2,
        "strips": 3,
        "greenhouses": 0.7,
        "wood": 0.7,
        "industry": 0.8,
        "bare": 0.5,
    },
    "suburb": {"suburb": 4, "wood": 1, "scrub": 1, "open": 1.2, "bare": 0.5, "farms": 0.5},
    "factory": {"industry": 4, "bare": 1, "village": 1, "fields": 1, "open": 1, "blocks": 0.4},
    "city": {"blocks": 4, "rows": 1, "industry": 1, "bare": 1, "open": 0.6, "suburb": 0.5},
    "dry": {"open": 2, "bare": 1, "scrub": 1.5, "hamlet": 1, "industry": 1, "suburb": 1},
    "coast": {
        "hamlet": 2,
        "industry": 1.5,
        "scrub": 1,
        "wood": 1,
        "fields": 1.5,
        "ponds": 0.6,
        "bare": 1,
    },
}
"""Places to draw pairs from, as weights of the neighbourhoods that make them up."""
