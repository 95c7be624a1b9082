"""From a site and the catalogue to a grid, weights and planned looks. Metadata only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import shapely
from odc.geo.geobox import GeoBox

from groundbreak.lonlat import fingerprint
from groundbreak.model.card import Card
from groundbreak.prepare.acquire import available_bands
from groundbreak.prepare.looks import COARSEST_PAN_GSD_M, SLACK, LeftOut, LookPlan, plan_looks
from groundbreak.raster.grid import check_size, site_grid
from groundbreak.types import Catalog, Scene, Site

FINE, COARSE = "site-2m", "area-10m"
GREY = "panchromatic"
FINE_UP_TO_M = 4.5
"""Scenes of up to this pixel size go to the fine weights; beyond, the 10 m weights see more."""

FINE_GRID_UP_TO_M = 3.0
"""Grids of up to this pixel size do; scenes of 3 to 4.5 m are magnified to it."""

MIXED_SENSORS = 2.5
"""A look with pixels this many times those of the grid, or of the site's scenes where theirs are
larger, cannot show what is asked for."""

MOST_LATITUDE = 90.0

MOST_NAMED = 5
"""Of more scenes a note names the first ones."""

BAND_WORDS = {"nir": "near infrared"}

MOST_PIXELS = 4_000_000_000
"""A site beyond this is refused: at 0.5 m it is a square of 32 km."""


@dataclass(frozen=True)
class PlanRequest:
    """What the user asked for, as far as planning needs it."""

    gsd_m: float | None = None
    dates: tuple[datetime | None, datetime | None] = (None, None)
    weights: str = "auto"


@dataclass(frozen=True)
class SitePlan:
    """A site ready to be worked on. ``looks`` is empty when nothing can be said of it.

    ``bands`` are those that the weights look at: a look may lack optional ones. ``incomplete`` says
    why there may be scenes of it that the catalogue does not list.
    """

    site: Site
    looks: tuple[LookPlan, ...]
    left_out: tuple[LeftOut, ...]
    grid: GeoBox | None = None
    gsd_m: float | None = None
    weights: str = ""
    bands: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    incomplete: str = ""


def plan_site(
    site: Site,
    catalog: Catalog,
    request: PlanRequest,
    cards: dict[str, Card],
    earlier_gsd_m: float | None = None,
) -> SitePlan:
    """Choose the looks, the weights, the pixel size and the grid of a site.

    Args:
        site: where.
        catalog: what there is.
        request: what was asked for.
        cards: cards of the weights that may be chosen, by name; with ``weights`` other than
            ``auto`` that one suffices.
        earlier_gsd_m: pixel size that an earlier run chose for the site. It is kept, unless the
            request names another: on a new grid all that was dated would have to be dated anew.

    Raises:
        SiteError: the grid would be larger than ``MOST_PIXELS``.
    """
    looks, left_out = plan_looks(site, catalog.scenes, request.dates)
    incomplete = _incomplete(site, catalog)
    if not looks:
        limited = not left_out and request.dates != (None, None)
        notes = ["only scenes within the asked dates count (--dates)"] if limited else []
        if turned := _with_exchanged_coordinates(site, catalog.scenes):
            number = "1 scene" if turned == 1 else f"{turned} scenes"
            notes.append(f"with latitude and longitude exchanged {number} would cover it")
        return SitePlan(site, (), tuple(left_out), notes=tuple(notes), incomplete=incomplete)
    native = _median_gsd([scene for look in looks for scene in look.scenes])
    said = [f"scenes may be missing: {incomplete}"] if incomplete else []
    weights, gsd_m, why = _choose(request, cards, native, earlier_gsd_m)
    coloured = [look for look in looks if GREY not in look.flags]
    if len(coloured) < len(looks) and (weights == COARSE or gsd_m > COARSEST_PAN_GRID_M):
        reason = f"panchromatic: nothing can be told by it on this site's {gsd_m:g} m grid"
        left_out += [LeftOut(s, reason) for k in looks if k not in coloured for s in k.scenes]
        if not coloured:
            return SitePlan(site, (), tuple(left_out), incomplete=incomplete)
        looks, native = coloured, _median_gsd([scene for k in coloured for scene in k.scenes])
        weights, gsd_m, why = _choose(request, cards, native, earlier_gsd_m)
    if why:
        said.append(why)
    card = cards[weights]
    coarsest = MIXED_SENSORS * max(gsd_m, native or 0.0)
    kept = [look for look in looks if look.gsd_m is None or look.gsd_m <= coarsest]
    for look in looks:
        if look not in kept:
            reason = f"pixels of {look.gsd_m:.1f} m are too coarse for this site's {gsd_m:g} m grid"
            left_out += [LeftOut(scene, reason) for scene in look.scenes]
    if not kept:
        return SitePlan(site, (), tuple(left_out), incomplete=incomplete)
    if grey := sum(GREY in look.flags for look in kept):
        said.append(
            f"{grey} of {len(kept)} looks are panchromatic (shades of grey): expect less, and more "
            "false alarms"
        )
    grid = site_grid(site, gsd_m)
    check_size(site, grid, MOST_PIXELS)
    said += _without(kept, card)
    return SitePlan(
        site, tuple(kept), tuple(left_out), grid, gsd_m, weights, card.bands, tuple(said)
    )


def _without(looks: Sequence[LookPlan], card: Card) -> list[str]:
    """What is to be said of bands that some looks lack and others have."""
    said = []
    for band in card.bands:
        lacking = [look for look in looks if not available_bands(look.scenes, [band])]
        if not 0 < len(lacking) < len(looks):
            continue
        scenes = [name for look in lacking for name in look.scene_ids]
        named = ", ".join(scenes[:MOST_NAMED])
        if len(scenes) > MOST_NAMED:
            named += f" and {len(scenes) - MOST_NAMED} more"
        has, is_ = ("has", "is") if len(scenes) == 1 else ("have", "are")
        word = BAND_WORDS.get(band, band)
        said.append(f"{named} {has} no {word} and {is_} compared with other looks without it")
    return said


def _with_exchanged_coordinates(site: Site, scenes: Sequence[Scene]) -> int:
    """How many scenes cover a site whose latitude was given as its longitude, if none does so."""
    if max(map(abs, site.geometry.bounds)) > MOST_LATITUDE:
        return 0
    footprints = [scene.footprint for scene in scenes if scene.footprint is not None]
    if any(footprint.intersects(site.geometry) for footprint in footprints):
        return 0
    turned = shapely.transform(site.geometry, lambda points: points[:, ::-1])
    return sum(footprint.intersects(turned) for footprint in footprints)


def _incomplete(site: Site, catalog: Catalog) -> str:
    """Why there may be scenes that the catalogue does not list; empty if there are none."""
    searched = catalog.searched
    if searched is not None and searched.get(site.id) != fingerprint(site.geometry):
        return "the site was added or moved after the search (search again)"
    return catalog.incomplete.get(site.id, "")


def _median_gsd(scenes: Sequence[Scene]) -> float | None:
    known = [scene.gsd_m for scene in scenes if scene.gsd_m is not None]
    return _rounded(float(np.median(known))) if known else None


def _rounded(gsd_m: float) -> float:
    """Two digits, so that scenes whose sizes differ in the last place share a grid."""
    return float(f"{gsd_m:.2g}")


COARSEST_PAN_GRID_M = _rounded(COARSEST_PAN_GSD_M * (1 + SLACK))
"""The grid that the coarsest panchromatic scenes get which are compared at all."""


def _choose(
    request: PlanRequest, cards: dict[str, Card], native_m: float | None, earlier_m: float | None
) -> tuple[str, float, str]:
    """Weights and pixel size for scenes of a pixel size; and why it is not theirs, if it is not."""
    if request.gsd_m is not None:
        weights = _choose_weights(request, request.gsd_m, FINE_GRID_UP_TO_M)
        return weights, request.gsd_m, _beyond(request.gsd_m, cards[weights])
    weights = _choose_weights(request, native_m, FINE_UP_TO_M)
    gsd_m = _snap(native_m, cards[weights])
    if earlier_m is not None:
        kept = _choose_weights(request, earlier_m, FINE_GRID_UP_TO_M)
        low, high = cards[kept].gsd_m
        kept_m = earlier_m if low <= earlier_m <= high else _snap(earlier_m, cards[kept])
        if (kept, kept_m) != (weights, gsd_m):
            why = (
                f"the grid of {kept_m:g} m of the earlier run is kept; these scenes by themselves "
                f"would have been given {gsd_m:g} m (--gsd {gsd_m:g}, or a new run folder, gives "
                "them that)"
            )
            return kept, kept_m, why
    if native_m is None or gsd_m == native_m:
        return weights, gsd_m, ""
    return weights, gsd_m, f"pixels of {native_m:g} m are brought to {gsd_m:g} m for {weights}"


def _beyond(gsd_m: float, card: Card) -> str:
    """What is to be said of a pixel size that was asked for."""
    low, high = card.gsd_m
    if low <= gsd_m <= high and card.working_gsd_m(gsd_m) == gsd_m:
        return ""
    if low <= gsd_m < card.finest_gsd_m:
        return (
            f"the grid of {gsd_m:g} m that was asked for (--gsd) is finer than what {card.name} "
            f"sees best, {card.finest_gsd_m:g} m: expect less"
        )
    return (
        f"the grid of {gsd_m:g} m that was asked for (--gsd) is beyond what {card.name} was "
        f"trained for, {low:g} to {high:g} m: expect less"
    )


def _choose_weights(request: PlanRequest, gsd_m: float | None, fine_up_to_m: float) -> str:
    if request.weights != "auto":
        return request.weights
    return FINE if gsd_m is None or gsd_m <= fine_up_to_m else COARSE


def _snap(native_m: float | None, card: Card) -> float:
    """The native pixel size, brought into the range that the weights see best in."""
    low, high = card.gsd_m
    return card.working_gsd_m(low if native_m is None else min(max(native_m, low), high))
