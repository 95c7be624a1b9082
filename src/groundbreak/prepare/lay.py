"""How the looks of a site lie on each other: which one the others are aligned to, and how.

A picture that is placed wrongly, or turned, would make changes everywhere. But ground that was
built over as a whole has as little in common with what it was, and fields of another year may have
no more. So a look that shows nothing where the reference shows it is asked how it lies on its
neighbours in time, and is left out only if they do not know it either and lie on each other; at
either end of the series it is kept, and doubted.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

from groundbreak.align import Alignment
from groundbreak.prepare.glances import Glances
from groundbreak.prepare.held import cut_out
from groundbreak.prepare.job import Bench, Judged, SiteJob
from groundbreak.prepare.known import JUDGEMENT, digest, placed, record
from groundbreak.prepare.look import (
    Reference,
    align_look,
    read_samples,
    sample_windows,
    take_reference,
)
from groundbreak.prepare.overview import Overview, choose_reference
from groundbreak.prepare.store import PreparedLook

MOST_REFERENCES = 3
"""So many looks are tried as the one that the others are aligned to."""

ALIGNMENT = record(Alignment)


@dataclass(frozen=True)
class Laid:
    """How looks lie on one of them, by their ids.

    ``keys`` are digests of all that the alignments depend on; of the reference there is none.
    """

    reference: Judged
    keys: dict[str, str]
    alignments: dict[str, Alignment]

    @property
    def lost(self) -> int:
        """How many looks show nothing where the reference shows it."""
        return sum(not how.lies for how in self.alignments.values())

    def left_out(self, looks: Sequence[Judged]) -> dict[str, str]:
        """Why which of the looks, given by date, must not be compared with the others."""
        lie = [self.lies(look) for look in looks]
        reasons = {}
        for place, look in enumerate(looks):
            if lie[place]:
                continue
            how = self.alignments[look.plan.id]
            if how.far:
                reasons[look.plan.id] = how.reason
            elif any(lie[:place]) and any(lie[place + 1 :]):
                reasons[look.plan.id] = "nothing of it lies where looks before and after show it"
        return reasons

    def lies(self, look: Judged) -> bool:
        """Whether nothing speaks against a look lying on the reference."""
        how = self.alignments.get(look.plan.id)
        return how is None or how.lies


def lay(
    job: SiteJob,
    glances: Glances,
    looks: Sequence[Judged],
    held: Mapping[str, PreparedLook],
    bench: Bench,
) -> Laid:
    """Find how the looks lie on the reference look, or on another one if most do not at all."""
    candidates = list(looks)
    tried: list[Laid] = []
    while candidates and len(tried) < MOST_REFERENCES:
        number = choose_reference([look.verdict.usable_share for look in candidates])
        laid = _lay_on(job, glances, looks, candidates[number], held, bench)
        tried.append(laid)
        bench.known.save(forget=False)
        # Of two that do not go together nobody can say which one is placed wrongly.
        if laid.lost < 2 or laid.lost <= len(laid.alignments) / 2:
            break
        # Those that lie on it are no better.
        alike = {name for name, how in laid.alignments.items() if how.lies}
        candidates.pop(number)
        candidates = [look for look in candidates if look.plan.id not in alike]
    laid = min(tried, key=lambda laid: laid.lost)
    return _by_neighbours(job, glances, looks, laid, held, bench)


def _by_neighbours(
    job: SiteJob,
    glances: Glances,
    looks: Sequence[Judged],
    laid: Laid,
    held: Mapping[str, PreparedLook],
    bench: Bench,
) -> Laid:
    """Lay looks that have nothing in common with the reference by those beside them that have."""
    keys, alignments = dict(laid.keys), dict(laid.alignments)
    lies = [laid.lies(look) for look in looks]
    for place, look in enumerate(looks):
        if lies[place] or not alignments[look.plan.id].apart:
            continue
        before = [n for n in range(place) if lies[n]][-1:]
        after = [n for n in range(place + 1, len(looks)) if lies[n]][:1]
        # At either end it is kept, and doubted, as it is.
        for beside in (looks[n] for n in (*before, *after) if before and after):
            if beside is laid.reference:
                continue
            on_it = _lay_on(job, glances, [look], beside, held, bench)
            found, own = on_it.alignments[look.plan.id], alignments[beside.plan.id]
            joined = _joined(found, own)
            if joined is not None:
                alignments[look.plan.id] = joined
                keys[look.plan.id] = digest([on_it.keys[look.plan.id], keys[beside.plan.id]])
                break
    return Laid(laid.reference, keys, alignments)


def _joined(found: Alignment, own: Alignment) -> Alignment | None:
    """How a look lies on the reference by one beside it; None where either was not measured.

    Args:
        found: how it lies on the one beside it.
        own: how that one lies on the reference.
    """
    if not found.lies or found.residual_px is None or own.residual_px is None:
        return None
    return replace(
        found,
        dx=found.dx + own.dx,
        dy=found.dy + own.dy,
        residual_px=math.hypot(found.residual_px, own.residual_px),
        trusted=found.trusted and own.trusted,
        reason=found.reason or own.reason,
    )


def _lay_on(
    job: SiteJob,
    glances: Glances,
    looks: Sequence[Judged],
    chosen: Judged,
    held: Mapping[str, PreparedLook],
    bench: Bench,
) -> Laid:
    """How the looks lie on one of them."""
    keys = {look.plan.id: _key(job, look, chosen, held) for look in looks}
    asked = [look for look in looks if look is not chosen]
    questions = [["alignment", keys[look.plan.id]] for look in asked]

    @cache
    def reference() -> Reference:
        return _reference(job, glances.overview(chosen.place), held.get(chosen.plan.id))

    if not all(bench.known.knows(question, ALIGNMENT) for question in questions):
        reference()  # before several threads ask for it at once

    def align(look: Judged, question: list[Any]) -> Alignment:
        def find() -> dict[str, Any]:
            bench.progress(f"aligning {look.plan.start:%Y-%m-%d}")
            view = glances.overview(look.place)
            windows, prepared = reference().windows, held.get(look.plan.id)
            if prepared is not None:
                moving = tuple(cut_out(prepared, window) for window in windows)
            else:
                moving = read_samples(look.plan, windows, job.grid, job.source)
            return asdict(align_look(view, reference(), job.grid, moving))

        return bench.known.of(question, find, ALIGNMENT)

    found = bench.pool.map(align, asked, questions)
    names = [look.plan.id for look in asked]
    return Laid(chosen, keys, dict(zip(names, found, strict=True)))


def _reference(job: SiteJob, chosen: Overview, held: PreparedLook | None) -> Reference:
    if held is None:
        return take_reference(chosen, job.grid, job.source)
    windows = sample_windows(job.grid, chosen)
    return Reference(chosen, tuple(cut_out(held, window) for window in windows), windows)


def _key(job: SiteJob, look: Judged, reference: Judged, held: Mapping[str, PreparedLook]) -> str:
    """Digest of all that the alignment of a look depends on.

    Not of the looks that its clouds were judged with, but of the clouds that were found: one more
    look has others judged anew, and seldom otherwise.
    """
    site = hashlib.sha256(job.grid.site.geometry.wkb).hexdigest()
    both = [
        [each.basis, each.verdict.clouds, _otherwise(held.get(each.plan.id))]
        for each in (look, reference)
    ]
    return digest([JUDGEMENT, both, placed(job.grid.coarse), site])


def _otherwise(held: PreparedLook | None) -> str:
    """What a held look shows otherwise than its scenes do: it was moved or made comparable."""
    if held is None:
        return ""
    plain = held.shift_px == (0.0, 0.0) and set(held.gain) <= {1.0} and set(held.offset) <= {0.0}
    return "" if plain else held.digest
