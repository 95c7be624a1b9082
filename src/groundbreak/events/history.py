"""One object's looks: which count, what the chain says, and when something happened."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from groundbreak.events.decode import (
    Chain,
    CountedLook,
    DecodeConfig,
    PairEvidence,
    Transition,
    find_transition,
)
from groundbreak.events.evidence import EvidenceConfig, ObjectEvidence
from groundbreak.events.looks import LookMeta
from groundbreak.events.objects import TrackedObject
from groundbreak.events.states import THERE
from groundbreak.types import Kind

DAY = timedelta(days=1)

MOST_MISLED = 0.6
"""Beyond this a look would count as evidence of the opposite."""

COUNTED = "counted"
UNUSABLE = "not usable over the footprint"
NOT_COMPARED = "not compared with any other look here"


def escaped(clear_share: float, unmasked: float) -> float:
    """Probability that what a look shows as clear ground is cloud that the mask did not find.

    Of a look that is a share c under cloud, 1 - c + unmasked * c passes for clear ground, and
    unmasked * c of it wrongly: what is left of an overcast look deserves little trust.

    >>> round(escaped(0.5, 0.05), 3), round(escaped(0.05, 0.05), 3), escaped(1.0, 0.05)
    (0.053, 1.0, 0.0)
    """
    cloud = (1 - clear_share) / (1 - unmasked)
    return min(unmasked * cloud / max(clear_share, 1e-6), 1.0)


@dataclass(frozen=True)
class LedgerRow:
    """One object at one look. ``evidence`` is the posterior that the object stands there."""

    object_id: str
    look_id: str
    usable_fraction: float
    counted: bool
    reason: str
    evidence: float | None


@dataclass(frozen=True)
class History:
    """An object, what was seen of it, and all looks of its site in date order.

    ``doubt`` scales the probability that a look misleads, one factor for each look.
    """

    tracked: TrackedObject
    seen: ObjectEvidence
    looks: Sequence[LookMeta]
    evidence: EvidenceConfig
    decode: DecodeConfig
    doubt: Sequence[float] | None = None

    @cached_property
    def usable(self) -> list[int]:
        """Positions of the looks in which the footprint is usable."""
        least = self.evidence.min_usable
        return [n for n, share in enumerate(self.seen.usable) if share >= least]

    @cached_property
    def counted(self) -> list[int]:
        """Positions of the looks that count: usable, and part of a pair with another such look."""
        usable = {self.looks[n].id for n in self.usable}
        compared = {look for pair in self.seen.pairs if usable.issuperset(pair) for look in pair}
        return [n for n in self.usable if self.looks[n].id in compared]

    def misled(self, number: int) -> float:
        """How likely a look is to show anything, before anything was compared."""
        emission = self.decode.emission
        chance = emission.misled[self.tracked.family]
        chance += emission.misled_clouded * (1 - self.seen.usable[number])
        chance += emission.misled_apart * self.looks[number].apart
        chance += escaped(self.looks[number].clear_share, emission.unmasked)
        return min(chance * (1.0 if self.doubt is None else self.doubt[number]), MOST_MISLED)

    def spread(self, number: int) -> float:
        """Standard deviation of the level that a look shows."""
        emission, look = self.decode.emission, self.looks[number]
        shifted = 0.0 if look.aligned else emission.shifted_spread
        residual = emission.residual_spread * (look.residual_px or 0.0)
        return math.hypot(emission.look_spread, shifted, residual)

    @cached_property
    def chain(self) -> Chain | None:
        """The posterior of the object's states; None if there was nothing to compare."""
        if len(self.counted) < 2:
            return None
        looks = [self.looks[n] for n in self.counted]
        place = {look.id: n for n, look in enumerate(looks)}
        pairs = [
            PairEvidence(place[pair.earlier], place[pair.later], probabilities)
            for pair, probabilities in self.seen.pairs.items()
            if pair.earlier in place and pair.later in place
        ]
        return Chain(
            self.tracked.family,
            [
                CountedLook(
                    day=(look.middle - looks[0].middle) / DAY,
                    misled=self.misled(n),
                    spread=self.spread(n),
                )
                for n, look in zip(self.counted, looks, strict=True)
            ],
            pairs,
            self.decode,
        )

    def transition(self, kind: Kind) -> Transition | None:
        """What happened of a kind, near the pairs in which it was suspected.

        One look is added at both ends: a suspicion may come from a look that misled.
        """
        if self.chain is None:
            return None
        place = {look.id: n for n, look in enumerate(self.looks)}
        pairs = [c.pair for c in self.tracked.candidates if c.kind is kind]
        first = min(place[pair.earlier] for pair in pairs)
        last = max(place[pair.later] for pair in pairs)
        before = [k for k, n in enumerate(self.counted) if n <= first]
        after = [k for k, n in enumerate(self.counted) if n >= last]
        return find_transition(
            self.chain,
            kind,
            max(before[-1] - 1, 0) if before else 0,
            min(after[0] + 1, len(self.counted) - 1) if after else len(self.counted) - 1,
            self.decode,
        )

    def ledger(self) -> list[LedgerRow]:
        """One row for every look of the site."""
        there = list(THERE[self.tracked.family])
        states = self.chain.states() if self.chain is not None else None
        rows = []
        for n, (look, share) in enumerate(zip(self.looks, self.seen.usable, strict=True)):
            counts = n in self.counted and states is not None
            reason = COUNTED if counts else NOT_COMPARED if n in self.usable else UNUSABLE
            evidence = None
            if counts and states is not None:
                evidence = float(states[self.counted.index(n), there].sum())
            rows.append(LedgerRow(self.tracked.id, look.id, share, counts, reason, evidence))
        return rows
