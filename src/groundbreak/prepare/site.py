"""All looks of a site, prepared in the order of their dates; what is done is not done again."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from rasterio.errors import NotGeoreferencedWarning

from groundbreak import __version__
from groundbreak.align import Alignment
from groundbreak.errors import RasterError
from groundbreak.prepare.acquire import SceneLostError, acquire, left_out, look_bands
from groundbreak.prepare.glances import Basis, Glances, Glimpsed, Judge
from groundbreak.prepare.held import find_held, glance, spared
from groundbreak.prepare.job import Bench, Judged, SiteJob
from groundbreak.prepare.known import Known, addresses, digest, files, placed, reading
from groundbreak.prepare.lay import lay
from groundbreak.prepare.look import (
    LookKey,
    prepare_look,
)
from groundbreak.prepare.looks import LeftOut, LookPlan
from groundbreak.prepare.network import CloudNetwork
from groundbreak.prepare.offsets import settle_offsets
from groundbreak.prepare.scales import scale_note
from groundbreak.prepare.sight import Sight, first_sight
from groundbreak.prepare.store import PreparedLook, load_look
from groundbreak.prepare.twins import same_pictures
from groundbreak.prepare.versions import versions

log = logging.getLogger(__name__)

KEPT = "what was prepared of it earlier is used"
SPOILT = "what was prepared of it earlier is damaged"

MOST_NAMED = 4
"""Of more scenes with the same fault the first is named."""

OFF_PX = 1.0
"""Beyond this a look does not lie on the others."""


@dataclass(frozen=True)
class Unused:
    """A look that takes no part: its date is known, its pixels were of no use."""

    plan: LookPlan
    usable_share: float
    reason: str


@dataclass(frozen=True)
class PreparedSite:
    """The looks that take part, those that do not, and remarks for the log and the report.

    ``left_out`` are damaged scenes of looks that do without them. ``spared`` are ids of looks,
    used or not, whose folders must stay: their scenes cannot be had now.
    """

    looks: tuple[PreparedLook, ...]
    unused: tuple[Unused, ...]
    notes: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()
    spared: frozenset[str] = frozenset()


def prepare_site(
    job: SiteJob, plans: Sequence[LookPlan], progress: Callable[[str], None] = lambda _: None
) -> PreparedSite:
    """Read, judge, align and write all looks of a site.

    A scene that turns out to be damaged, even late, is left out, and what depended on it is done
    again without it. Where a scene only cannot be had now, the look that an earlier run prepared
    from it is used, unless that is damaged.

    Raises:
        HrefError: an address may not be read.
        OutputError: the folder cannot be written.
    """
    with warnings.catch_warnings(), ThreadPoolExecutor(job.threads) as pool:
        # Rasterio silences it too, but one thread ends what another one has begun.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        bench = Bench(pool, Known(job.glances / "known.json"), progress)
        seen, lost = _first_sights(job, plans, bench)
        while True:
            try:
                return _prepare_without(lost, job, plans, seen, bench)
            except SceneLostError as error:
                lost.append(error.left_out)


def _first_sights(
    job: SiteJob, plans: Sequence[LookPlan], bench: Bench
) -> tuple[dict[str, Sight], list[LeftOut]]:
    """All scenes at first sight, by their ids, and those that cannot be read."""
    seen: dict[str, Sight] = {}
    lost: list[LeftOut] = []

    def look(plan: LookPlan) -> list[Sight | LeftOut]:
        bench.progress(f"reading {plan.start:%Y-%m-%d}")
        found: list[Sight | LeftOut] = []
        for scene in plan.scenes:
            try:
                found.append(first_sight(scene, job.grid.coarse, job.source, bench.known))
            except RasterError as error:
                found.append(left_out(scene, error))
        return found

    for plan, found in zip(plans, bench.pool.map(look, plans), strict=True):
        for scene, sight in zip(plan.scenes, found, strict=True):
            if isinstance(sight, LeftOut):
                lost.append(sight)
            else:
                seen[scene.id] = sight
    return seen, lost


def _prepare_without(
    lost: Sequence[LeftOut],
    job: SiteJob,
    plans: Sequence[LookPlan],
    seen: Mapping[str, Sight],
    bench: Bench,
) -> PreparedSite:
    """Prepare a site from what is left of its looks.

    Raises:
        SceneLostError: one more scene is damaged.
    """
    unreached = {entry.scene.id for entry in lost if entry.unreached}
    held, plans = _hold(job, plans, unreached)
    serve = {name for look in held.values() for name in look.scene_ids}
    remarks = [f"{e.scene.id}: {e.reason}; {KEPT}" for e in lost if e.scene.id in serve]
    for text in remarks:
        log.warning("scene %s", text)
    lost = [entry for entry in lost if entry.scene.id not in serve]
    reasons = {entry.scene.id: entry.reason for entry in lost}
    spoilt = {name for plan in plans if plan.id in job.spoilt for name in plan.scene_ids}
    reasons |= {name: f"{reasons[name]}; {SPOILT}" for name in spoilt & unreached}
    kept = [left for plan in plans if (left := plan.without(reasons)) is not None]
    gone = [plan for plan in plans if plan.without(reasons) is None]
    unused = [Unused(p, 0.0, _once(reasons[n] for n in p.scene_ids)) for p in gone]
    in_gone = {name for plan in gone for name in plan.scene_ids}
    present = [plan for plan in kept if plan.id not in held]
    job, corrected = _settle(job, present, seen, bench.known)
    remarks += corrected
    remarks += versions(present, job.grid.coarse, job.source, bench.known)
    basis = {plan.id: _basis(job, plan, held.get(plan.id)) for plan in kept}
    glances = _glances(job, kept, held, basis, bench.known)
    verdicts = glances.verdicts(bench.pool)
    bench.known.save(forget=False)
    if not unreached:
        glances.forget_others()
    chosen = []
    for place, (plan, verdict) in enumerate(zip(kept, verdicts, strict=True)):
        if not verdict.reason or plan.id in held:
            chosen.append(Judged(place, plan, verdict, basis[plan.id]))
        else:
            unused.append(Unused(plan, verdict.usable_share, verdict.reason))
    shown = bench.pool.map(glances.picture, (look.place for look in chosen))
    remarks += same_pictures(zip((look.plan for look in chosen), shown, strict=True))
    looks: list[PreparedLook] = []
    if chosen:
        looks, apart = _prepare_all(job, glances, chosen, held, bench)
        unused += apart
    bench.known.save(forget=not unreached)
    unused.sort(key=lambda entry: (entry.plan.start, entry.plan.id))
    return PreparedSite(
        looks=tuple(looks),
        unused=tuple(unused),
        notes=(*_told_together(reasons), *remarks),
        left_out=tuple(entry for entry in lost if entry.scene.id not in in_gone),
        spared=spared(job.looks, unreached),
    )


def _once(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(texts))


def _told_together(reasons: Mapping[str, str]) -> list[str]:
    """Each reason once, with the scenes that it holds of.

    Args:
        reasons: by the ids of the scenes.
    """
    alike: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        alike.setdefault(reason, []).append(name)
    return [
        f"{', '.join(names)}: {reason}"
        if len(names) <= MOST_NAMED
        else f"{len(names)} scenes, the first {names[0]}: {reason}"
        for reason, names in alike.items()
    ]


def _hold(
    job: SiteJob, plans: Sequence[LookPlan], unreached: set[str]
) -> tuple[dict[str, PreparedLook], list[LookPlan]]:
    """Looks, by id, whose earlier preparation stands in for their scenes; all plans with them."""
    held, left = {}, []
    for plan in plans:
        if plan.id in job.spoilt:
            left.append(plan)
            continue
        found = find_held(job.looks / plan.id, plan, unreached, lambda part: _told(job, part))
        if found is not None:
            held[plan.id] = found[1]
        left.append(found[0] if found is not None else plan)
    return held, left


def _settle(
    job: SiteJob, plans: Sequence[LookPlan], seen: Mapping[str, Sight], known: Known
) -> tuple[SiteJob, list[str]]:
    """The job with what the scenes of some looks are without saying so, and remarks.

    Raises:
        SceneLostError: a file is damaged.
    """
    names = [scene.id for plan in plans for scene in plan.scenes]
    scales = {n: scale for n in names if (scale := seen[n].scale) is not None}
    filled = {name: seen[name].filled for name in names if seen[name].filled}
    remarks = [scale_note(name, scale) for name, scale in scales.items()]
    for text in remarks:
        log.info("scene %s", text)
    source = replace(job.source, filled=filled, scales=scales)
    source, corrected = settle_offsets(plans, job.grid.coarse, source, known)
    return replace(job, source=source), remarks + corrected


def _glances(
    job: SiteJob,
    plans: Sequence[LookPlan],
    held: Mapping[str, PreparedLook],
    basis: Mapping[str, Basis],
    known: Known,
) -> Glances:
    coarse, source = job.grid.coarse, job.source
    judge = Judge(
        grid=coarse,
        inside=job.inside,
        network=job.config.cloud_network is CloudNetwork.REQUIRE,
        least_share=job.config.min_usable_share,
        folder=job.glances,
        known=known,
    )
    looks = []
    for plan in plans:
        name, look = plan.id, held.get(plan.id)
        if look is None or judge.keeps(basis[name]):
            bands, take = look_bands(plan, source), partial(acquire, plan, coarse, source)
            looks.append(Glimpsed(plan, bands, basis[name], take))
        else:
            # Not quite what its scenes would show: it must not be taken for that.
            as_prepared = (*basis[name], "prepared", look.digest)
            looks.append(Glimpsed(plan, look.bands, as_prepared, partial(glance, look, coarse)))
    return Glances(judge, looks)


def _prepare_all(
    job: SiteJob,
    glances: Glances,
    looks: Sequence[Judged],
    held: Mapping[str, PreparedLook],
    bench: Bench,
) -> tuple[list[PreparedLook], list[Unused]]:
    """Prepare the looks that lie on each other; what an earlier run prepared is taken as it is.

    Returns:
        The prepared looks, and those that show nothing where the others show it.
    """
    laid = lay(job, glances, looks, held, bench)
    known = {name: _relaid(look, laid.alignments.get(name)) for name, look in held.items()}
    reasons = laid.left_out(looks)
    keys: dict[str, LookKey] = {}
    kept, apart = [], []
    for look in looks:
        name, how = look.plan.id, laid.alignments.get(look.plan.id)
        if name in reasons:
            apart.append(Unused(look.plan, look.verdict.usable_share, reasons[name]))
            continue
        kept.append(look)
        told, state = look.basis
        key = digest([laid.keys[name], None if how is None else asdict(how)])
        keys[name] = LookKey(key, told, state)
        prepared = load_look(job.looks / name, key) if name not in job.spoilt else None
        if prepared is not None:
            known.setdefault(name, prepared)

    def work(look: Judged) -> PreparedLook:
        bench.progress(f"preparing {look.plan.start:%Y-%m-%d}")
        name, view = look.plan.id, glances.overview(look.place)
        how, key = laid.alignments.get(name), keys[name]
        reference = glances.overview(laid.reference.place)
        return prepare_look(view, reference, how, job.grid, job.source, job.looks / name, key)

    missing = [look for look in kept if look.plan.id not in known]
    known |= {look.id: look for look in bench.pool.map(work, missing)}
    return [known[look.plan.id] for look in kept], apart


def _relaid(look: PreparedLook, how: Alignment | None) -> PreparedLook:
    """A look prepared earlier, whose scenes cannot be had now to move it onto another reference."""
    if how is None or not (how.apart or (how.trusted and math.hypot(how.dx, how.dy) > OFF_PX)):
        return look
    flags = look.flags if "misregistered" in look.flags else (*look.flags, "misregistered")
    return replace(look, aligned=False, apart=how.apart, flags=flags)


def _basis(job: SiteJob, plan: LookPlan, held: PreparedLook | None = None) -> tuple[str, str]:
    """Digests of what is told of a look, and of the state of its files.

    Of one whose files cannot be had, what was noted of them.
    """
    offsets, scales, filled = job.source.offsets, job.source.scales, job.source.filled
    corrected: list[list[Any]] = [[s.id, offsets[s.id].dn] for s in plan.scenes if s.id in offsets]
    corrected += [[s.id, scales[s.id]] for s in plan.scenes if s.id in scales]
    corrected += [[s.id, "fill", *filled[s.id]] for s in plan.scenes if s.id in filled]
    state = digest([[files(scene) for scene in plan.scenes], corrected])
    return _told(job, plan), state if held is None else held.state


def _told(job: SiteJob, plan: LookPlan) -> str:
    """Digest of what the catalogue says of a look, and of what is made of it."""
    times = [plan.start.isoformat(), plan.end.isoformat()]
    facts = [plan.id, times, plan.sensor, plan.gsd_m, list(plan.flags)]
    scenes = [[addresses(scene), reading(scene)] for scene in plan.scenes]
    made = [placed(job.grid.full), look_bands(plan, job.source), asdict(job.config)]
    return digest([__version__, facts, scenes, made])
