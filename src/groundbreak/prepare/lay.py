"""How the looks of a site lie on each other: which one the others are aligned to, and how they are.

A picture that is placed wrongly, or shows other ground, would make changes everywhere. Where the
others agree with each other it is left out; and if it was to be the one they are compared with,
another one takes its place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from groundbreak.align import Alignment
from groundbreak.prepare.glances import Glances
from groundbreak.prepare.held import cut_out
from groundbreak.prepare.job import Bench, Judged, SiteJob
from groundbreak.prepare.known import digest, placed
from groundbreak.prepare.look import Reference, align_look, sample_window, take_reference
from groundbreak.prepare.overview import Overview, choose_reference
from groundbreak.prepare.store import PreparedLook

MOST_REFERENCES = 3
"""So many looks are tried as the one that the others are aligned to."""


@dataclass(frozen=True)
class Laid:
    """How looks lie on one of them, by their ids.

    Of that one, and of looks that an earlier run prepared and whose scenes cannot be had now,
    there is no alignment. ``keys`` are digests of all that the alignments depend on.
    """

    reference: Judged
    keys: dict[str, str]
    alignments: dict[str, Alignment]

    @property
    def apart(self) -> int:
        """How many looks show nothing where the reference shows it."""
        return sum(how.apart for how in self.alignments.values())


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
        laid = _lay_on(job, glances, looks, candidates.pop(number), held, bench)
        tried.append(laid)
        # Of two that do not go together nobody can say which one is placed wrongly.
        if laid.apart < 2 or laid.apart <= len(laid.alignments) / 2:
            break
    return min(tried, key=lambda laid: laid.apart)


def _lay_on(
    job: SiteJob,
    glances: Glances,
    looks: Sequence[Judged],
    chosen: Judged,
    held: Mapping[str, PreparedLook],
    bench: Bench,
) -> Laid:
    """How the looks lie on one of them."""
    keys = {look.plan.id: _key(job, look, chosen) for look in looks}
    asked = [look for look in looks if look.plan.id not in held and look is not chosen]
    questions = [["alignment", keys[look.plan.id]] for look in asked]

    @cache
    def reference() -> Reference:
        return _reference(job, glances.overview(chosen.place), held.get(chosen.plan.id))

    if not all(bench.known.knows(question) for question in questions):
        reference()  # before several threads ask for it at once

    def align(look: Judged, question: list[Any]) -> Alignment:
        def find() -> dict[str, Any]:
            bench.progress(f"aligning {look.plan.start:%Y-%m-%d}")
            view = glances.overview(look.place)
            return asdict(align_look(view, reference(), job.grid, job.source))

        return Alignment(**bench.known.of(question, find))

    found = bench.pool.map(align, asked, questions)
    names = [look.plan.id for look in asked]
    return Laid(chosen, keys, dict(zip(names, found, strict=True)))


def _reference(job: SiteJob, chosen: Overview, held: PreparedLook | None) -> Reference:
    if held is None:
        return take_reference(chosen, job.grid, job.source)
    window = sample_window(job.grid, chosen)
    return Reference(chosen, cut_out(held, window), window)


def _key(job: SiteJob, look: Judged, reference: Judged) -> str:
    """Digest of all that a prepared look depends on.

    Not of the looks that its clouds were judged with, but of the clouds that were found: one more
    look has others judged anew, and seldom otherwise.
    """
    site = hashlib.sha256(job.grid.site.geometry.wkb).hexdigest()
    both = [[each.basis, each.verdict.clouds] for each in (look, reference)]
    return digest([both, placed(job.grid.coarse), site])
