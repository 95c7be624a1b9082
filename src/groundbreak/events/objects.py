"""Patches of change from different pairs that are the same building become one object.

Objects are a pure function of the candidates, taken in date order: patches of later pairs are
matched with the objects that earlier ones founded, so another look at the end changes no earlier
assignment. A patch is compared with all that an object's patches cover, never with another
patch that merely touched it, so slight overlaps do not chain neighbours together; a patch that
covers several objects supports each of them and enlarges none.

The outline of an object is what at least half of its patches cover: what one pair alone draws
beside it, a ship or a shadow, would dilute its evidence. A building that rose in parts side by
side, or a berth that was dug in parts, is as large as its parts together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

import shapely
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from groundbreak.events.checks import check_share
from groundbreak.events.geometry import area_ratio, containment, iou, largest_polygon
from groundbreak.events.looks import LookMeta
from groundbreak.events.states import Family
from groundbreak.events.vectorize import Candidate
from groundbreak.types import Interval, Kind

PIER_M = 5.0
"""Parts of one berth lie nearer: what lies between is no pier that ships moor at."""


@dataclass(frozen=True)
class ObjectConfig:
    """When two patches are the same building.

    Attributes:
        same_iou: intersection over union from which patches are the same.
        same_containment: share of the smaller patch inside the larger from which they are the
            same, if the smaller has at least ``least_area_ratio`` of the larger's area.
        least_area_ratio: see above; a shed inside a hall's footprint is not the hall.
        growth_border: share of the smaller patch's outline along which two patches of successive
            looks must touch to be parts of one building or berth under construction.
        growth_days: longest time between such parts.
    """

    same_iou: float = 0.4
    same_containment: float = 0.8
    least_area_ratio: float = 0.3
    growth_border: float = 0.3
    growth_days: float = 400.0

    def __post_init__(self) -> None:
        check_share("same_iou", self.same_iou)
        check_share("same_containment", self.same_containment)
        check_share("least_area_ratio", self.least_area_ratio)
        check_share("growth_border", self.growth_border)


@dataclass(frozen=True)
class TrackedObject:
    """One building or berth, and the patches of change that belong to it.

    ``outlines`` holds one polygon per kind of change, in the grid's CRS. The building that is
    torn down and the one that replaces it are two objects.
    """

    id: str
    family: Family
    outlines: Mapping[Kind, Polygon]
    candidates: tuple[Candidate, ...]

    @property
    def founded_by(self) -> Kind:
        """The kind of change in which the object was first seen."""
        return self.candidates[0].kind

    @property
    def footprint(self) -> Polygon:
        """Where evidence is collected: the outline of the first kind of change."""
        return self.outlines[self.founded_by]


@dataclass(frozen=True)
class KnownObject:
    """An object of an earlier run of the same site, whose id is kept.

    ``told`` are the dates of what that run told of it, or the last one that told something.
    ``followed`` tells whether that run still had patches of it: it may have been found before, in
    looks that were not there.
    """

    id: str
    founded_by: Kind
    footprint: BaseGeometry
    told: Mapping[Kind, Interval] = field(default_factory=dict)
    followed: bool = True


@dataclass
class _Draft:
    """An object while its patches are being collected."""

    family: Family
    covered: dict[Kind, Polygon]
    candidates: list[Candidate]
    drawn: list[Candidate]
    grown: set[Kind] = field(default_factory=set)

    @classmethod
    def of(cls, first: Candidate) -> _Draft:
        return cls(Family.of(first.kind), {first.kind: first.polygon}, [first], [first])

    @property
    def footprint(self) -> Polygon:
        return self.covered[self.candidates[0].kind]

    def outline(self, kind: Kind) -> Polygon:
        """What at least half of the patches cover; of what came in parts, all."""
        patches = [patch.polygon for patch in self.drawn if patch.kind is kind]
        if len(patches) < 3 or kind in self.grown:
            return self.covered[kind]
        common = largest_polygon(_covered_by(patches, -(-len(patches) // 2)))
        # Parts that flicker one by one have no ground that half of them share.
        return self.covered[kind] if common.is_empty else common


def _covered_by(shapes: Sequence[BaseGeometry], least: int) -> BaseGeometry:
    """What at least so many of the shapes cover."""
    levels: list[BaseGeometry] = [Polygon() for _ in range(least)]
    for shape in shapes:
        for level in range(least - 1, 0, -1):
            levels[level] = levels[level].union(levels[level - 1].intersection(shape))
        levels[0] = levels[0].union(shape)
    return levels[-1]


def follow_objects(
    site_id: str,
    candidates: Iterable[Candidate],
    looks: Sequence[LookMeta],
    config: ObjectConfig,
    known: Sequence[KnownObject] = (),
) -> list[TrackedObject]:
    """Group patches of change into objects with stable ids.

    Args:
        site_id: part of every id.
        candidates: patches of all pairs, in any order.
        looks: all looks of the site in date order.
        config: see `ObjectConfig`.
        known: objects of an earlier run; those found again keep their ids. One that it did not
            follow does so only where the same is told of it (`identity.swapped_ids`): on its plot
            much may have happened since.

    Returns:
        Objects in the order in which they were first seen.
    """
    place = {look.id: number for number, look in enumerate(looks)}

    def order(candidate: Candidate) -> tuple[int, int]:
        return place[candidate.pair.later], -place[candidate.pair.earlier]

    drafts: list[_Draft] = []
    ordered = sorted(candidates, key=lambda c: (order(c), c.polygon.bounds, c.kind.value_in_mask))
    for _, group in groupby(ordered, key=order):
        # Patches of one pair are different things: they meet only what other pairs founded.
        tree = shapely.STRtree([draft.footprint for draft in drafts])
        founded = []
        for candidate in group:
            reach = candidate.polygon.buffer(_reach(candidate.polygon))
            near = [drafts[i] for i in sorted(tree.query(reach, predicate="intersects"))]
            matches = [draft for draft in near if _same(candidate, draft, place, config)]
            if not matches:
                matches = [
                    draft for draft in near if _grows(candidate, draft, place, looks, config)
                ][:1]
                for draft in matches:
                    draft.grown.add(candidate.kind)
            if not matches:
                founded.append(_Draft.of(candidate))
            for draft in matches:
                draft.candidates.append(candidate)
            if len(matches) == 1:
                _enlarge(matches[0], candidate)
        drafts += founded
    objects = [
        TrackedObject(
            _identity(site_id, d.candidates[0]),
            d.family,
            {kind: d.outline(kind) for kind in d.covered},
            tuple(d.candidates),
        )
        for d in drafts
    ]
    return _with_known_ids(objects, known, config)


def _same(
    candidate: Candidate, draft: _Draft, place: Mapping[str, int], config: ObjectConfig
) -> bool:
    """Whether a patch shows the building that a draft follows."""
    if Family.of(candidate.kind) is not draft.family:
        return False
    razed = [place[c.pair.later] for c in draft.candidates if c.kind is Kind.DEMOLITION]
    if candidate.kind is Kind.NEW_BUILDING and razed:
        # What rises where a building was torn down is another building.
        return False
    outline = draft.covered.get(candidate.kind, draft.footprint)
    if iou(candidate.polygon, outline) >= config.same_iou:
        return True
    if candidate.kind not in draft.covered:
        # Part of a building is torn down: that part is an object of its own.
        return False
    return (
        area_ratio(candidate.polygon, outline) >= config.least_area_ratio
        and containment(candidate.polygon, outline) >= config.same_containment
    )


def _grows(
    candidate: Candidate,
    draft: _Draft,
    place: Mapping[str, int],
    looks: Sequence[LookMeta],
    config: ObjectConfig,
) -> bool:
    """Whether a patch is the next part of what comes in parts: a building, a berth."""
    if candidate.kind is Kind.DEMOLITION or draft.candidates[-1].kind is not candidate.kind:
        return False
    last = place[draft.candidates[-1].pair.later]
    first = place[candidate.pair.earlier]
    if first < last:
        return False
    if (looks[first].middle - looks[last].middle).total_seconds() > config.growth_days * 86_400:
        return False
    smaller = min(candidate.polygon, draft.footprint, key=lambda p: p.length)
    larger = draft.footprint if smaller is candidate.polygon else candidate.polygon
    reach = _reach(smaller)
    if candidate.kind is Kind.DOCKING_SLIP:
        reach = min(reach, PIER_M)
    # The common border, less what the reach takes of the edges beside it.
    touching = smaller.exterior.intersection(larger.buffer(reach)).length - 2 * reach
    return bool(touching >= config.growth_border * smaller.exterior.length)


def _enlarge(draft: _Draft, candidate: Candidate) -> None:
    draft.drawn.append(candidate)
    known = draft.covered.get(candidate.kind)
    if known is None:
        draft.covered[candidate.kind] = candidate.polygon
    else:
        # Closing heals the hairline between parts that only touch.
        seam = _reach(candidate.polygon)
        union = shapely.union_all([known, candidate.polygon])
        if not isinstance(union, Polygon):
            union = union.buffer(seam, join_style="mitre").buffer(-seam, join_style="mitre")
        draft.covered[candidate.kind] = largest_polygon(union)


def _reach(outline: Polygon) -> float:
    """How near two patches must come to touch: outlines are drawn pixel by pixel."""
    return float(0.02 * outline.length)


def _identity(site_id: str, first: Candidate) -> str:
    """An id from where and in which pair the object was first seen."""
    bounds = (f"{bound:.0f}" for bound in first.polygon.bounds)
    facts = (site_id, first.kind.value, *first.pair, *bounds)
    digest = hashlib.blake2s("\n".join(facts).encode(), digest_size=6).hexdigest()
    return f"{Family.of(first.kind).value}-{digest}"


def _with_known_ids(
    objects: Sequence[TrackedObject], known: Sequence[KnownObject], config: ObjectConfig
) -> list[TrackedObject]:
    """Give objects of an earlier run their ids back, the best overlap first."""
    own = {tracked.id for tracked in objects}
    lost = [old for old in known if old.followed and old.id not in own]
    free = {n for n, tracked in enumerate(objects) if tracked.id not in {k.id for k in known}}
    overlaps = sorted(
        (
            (iou(objects[n].footprint, old.footprint), old.id, n)
            for old in lost
            for n in free
            if objects[n].founded_by is old.founded_by
        ),
        reverse=True,
    )
    renamed = list(objects)
    given: set[str] = set()
    for overlap, name, n in overlaps:
        if overlap >= config.same_iou and n in free and name not in given:
            renamed[n] = replace(objects[n], id=name)
            free.discard(n)
            given.add(name)
    return renamed
