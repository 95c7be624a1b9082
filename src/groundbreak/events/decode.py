"""A hidden Markov model over the looks of one object: which states, which transitions, when.

States are hidden at every counted look. What a look *shows* is usually its state, but a look may
mislead: then it shows any state, to all pairs that contain it. So a remnant of cloud that makes
a building appear in one pair and vanish in the next is explained by one misleading look instead
of two events. A pair's evidence depends on what its two looks show. Pairs that jump over looks
tie distant looks together; the shown states of looks that wait for a later pair are kept open
while the chain is summed (variable elimination), which is exact. See docs/dates.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from groundbreak.events.states import (
    TRANSITIONS,
    Emission,
    Family,
    Matrix,
    Rates,
    first_state,
    pair_likelihood,
    state_count,
    transition_matrix,
)
from groundbreak.types import Kind

MAX_OPEN = 5
"""Looks kept open at once; of more, the longest pairs are left out (they add least)."""


NEGLIGIBLE = 0.01
"""Steps with less of a date's posterior do not widen an interval."""


@dataclass(frozen=True)
class DecodeConfig:
    """Parameters of the decoder.

    Attributes:
        rates: transitions per year.
        emission: what looks and pairs show.
        interval_mass: share of the posterior of its date that the stated interval shall hold:
            looks that might be on either side of the event widen it.
    """

    rates: Rates = field(default_factory=Rates)
    emission: Emission = field(default_factory=Emission)
    interval_mass: float = 0.9


@dataclass(frozen=True)
class CountedLook:
    """A look that counts for the object.

    ``day`` is its time in days from any origin; ``usable`` the usable share of the footprint.
    ``likelihood`` of each state given what this look alone shows, None when nothing is known.
    """

    day: float
    usable: float = 1.0
    aligned: bool = True
    likelihood: tuple[float, ...] | None = None


@dataclass(frozen=True)
class PairEvidence:
    """A pair of counted looks (their positions) and the network's mean class probabilities."""

    earlier: int
    later: int
    probabilities: tuple[float, float, float, float]


@dataclass(frozen=True)
class _Step:
    """From look k-1 to look k. ``shown`` is indexed [state, open looks before..., shown at k]."""

    transition: Matrix
    shown: Matrix
    closed: tuple[int, ...]


class Chain:
    """The posterior of one object's states, computed once and asked many times.

    Args:
        family: building or slip.
        looks: counted looks in date order, at least one.
        pairs: evidence between them.
        config: see `DecodeConfig`.
    """

    def __init__(
        self,
        family: Family,
        looks: Sequence[CountedLook],
        pairs: Sequence[PairEvidence],
        config: DecodeConfig,
    ) -> None:
        self.family = family
        self.size = len(looks)
        self._steps, start = _eliminate(family, looks, _bounded(pairs), config)
        self._forward, self._scales = [start / start.sum()], [1.0]
        for step in self._steps:
            alpha = _advance(self._forward[-1], step, step.transition)
            self._scales.append(float(alpha.sum()))
            self._forward.append(alpha / self._scales[-1])
        self._backward = [np.ones_like(self._forward[-1])]
        self._messages: list[Matrix] = []
        for step, scale in zip(self._steps[::-1], self._scales[:0:-1], strict=True):
            message = (step.shown * np.expand_dims(self._backward[0], step.closed)).sum(axis=-1)
            self._messages.insert(0, message / scale)
            self._backward.insert(0, np.tensordot(step.transition, message / scale, axes=(1, 0)))

    def states(self) -> Matrix:
        """Posterior of the state at every look, (looks, states)."""
        both = [alpha * beta for alpha, beta in zip(self._forward, self._backward, strict=True)]
        return np.array([joint.reshape(len(joint), -1).sum(axis=1) for joint in both])

    def steps(self, moves: Sequence[tuple[int, int]]) -> Matrix:
        """Posterior that one of the moves (state, state) happened from look k to k+1, (looks-1)."""
        found = np.zeros(len(self._steps))
        for number, (step, message) in enumerate(zip(self._steps, self._messages, strict=True)):
            for before, after in moves:
                joint = (self._forward[number][before] * message[after]).sum()
                found[number] += joint * step.transition[before, after]
        return found

    def first_time(self, moves: Sequence[tuple[int, int]], first: int, last: int) -> Matrix:
        """Posterior that the first of the moves after look ``first`` came at each step to ``last``.

        Returns:
            (last - first,); the sum is the posterior that any of the moves happened at all.
        """
        alpha = self._forward[first]
        not_yet = [1.0]
        for number in range(first, last):
            step = self._steps[number]
            barred = step.transition.copy()
            for before, after in moves:
                barred[before, after] = 0.0
            alpha = _advance(alpha, step, barred) / self._scales[number + 1]
            not_yet.append(float((alpha * self._backward[number + 1]).sum()))
        return np.clip(-np.diff(not_yet), 0.0, 1.0)


def _advance(alpha: Matrix, step: _Step, transition: Matrix) -> Matrix:
    moved = np.tensordot(transition, alpha, axes=(0, 0))
    return np.asarray((moved[..., None] * step.shown).sum(axis=step.closed))


def _eliminate(
    family: Family,
    looks: Sequence[CountedLook],
    pairs: Sequence[PairEvidence],
    config: DecodeConfig,
) -> tuple[list[_Step], Matrix]:
    """Lay out the summation: one step a look, and the state at the first look."""
    last = list(range(len(looks)))
    for pair in pairs:
        last[pair.earlier] = max(last[pair.earlier], pair.later)
    shows = [_shows(family, look, config.emission) for look in looks]
    start = first_state(family)[:, None] * shows[0]
    if last[0] == 0:
        start = start.sum(axis=1)
    opened = [0] if last[0] > 0 else []
    steps = []
    for k in range(1, len(looks)):
        days = looks[k].day - looks[k - 1].day
        axes = [*opened, k]
        shown = shows[k].reshape(-1, *[1] * len(opened), shows[k].shape[1])
        for pair in pairs:
            if pair.later == k:
                gap = looks[k].day - looks[pair.earlier].day
                table = pair_likelihood(
                    family, pair.probabilities, gap, config.rates, config.emission
                )
                where = axes.index(pair.earlier)
                shape = [1] * (len(axes) + 1)
                shape[where + 1] = shape[-1] = len(table)
                shown = shown * table.reshape(shape)
        closed = tuple(1 + n for n, look in enumerate(axes) if last[look] <= k)
        sizes = (len(shows[k]), *[shows[k].shape[1]] * len(axes))
        steps.append(
            _Step(
                transition_matrix(family, config.rates, days),
                np.broadcast_to(shown, sizes),
                closed,
            )
        )
        opened = [look for look in axes if last[look] > k]
    return steps, start


def _shows(family: Family, look: CountedLook, emission: Emission) -> Matrix:
    """Probability of each shown state (column) for each state (row), times the look's own view."""
    misled = emission.misled[family] + emission.misled_clouded * (1 - look.usable)
    misled += 0.0 if look.aligned else emission.misled_shifted
    count = state_count(family)
    shows = np.full((count, count), misled / count) + np.eye(count) * (1 - misled)
    if look.likelihood is not None:
        shows = shows * np.asarray(look.likelihood)[:, None]
    return np.asarray(shows)


def _bounded(pairs: Sequence[PairEvidence]) -> list[PairEvidence]:
    """Leave out the longest pairs where more than `MAX_OPEN` looks would be open at once."""
    kept: list[PairEvidence] = []
    for pair in sorted(pairs, key=lambda p: (p.later - p.earlier, p.later)):
        trial = [*kept, pair]
        crowd = (
            len({p.earlier for p in trial if p.earlier < k < p.later})
            for k in range(pair.earlier + 1, pair.later)
        )
        if max(crowd, default=0) < MAX_OPEN:
            kept = trial
    return sorted(kept, key=lambda p: (p.later, p.earlier))


@dataclass(frozen=True)
class Transition:
    """Something that happened to the object.

    ``before`` and ``after`` are positions of counted looks: the last without, the first with;
    None is an open end. ``posterior`` that it happened at all; ``date_posterior`` that it
    happened in the interval, given that it happened.
    """

    kind: Kind
    before: int | None
    after: int | None
    posterior: float
    date_posterior: float


def find_transition(
    chain: Chain, kind: Kind, first: int, last: int, config: DecodeConfig
) -> Transition | None:
    """The likeliest interval of an event between two looks, and how sure it is.

    The interval is the likeliest step from one look to the next, widened to its sides until it
    holds ``interval_mass`` of the date's posterior or what lies beside it is negligible.

    Args:
        chain: the object's posterior.
        kind: of event.
        first: earliest look that may be the last without.
        last: latest look that may be the first with.
        config: see `DecodeConfig`.

    Returns:
        The transition; None if there is no step between the looks.
    """
    if last <= first:
        return None
    mass = chain.first_time(TRANSITIONS[kind], first, last)
    posterior = float(mass.sum())
    share = mass / posterior if posterior > 0 else np.full(len(mass), 1 / len(mass))
    start = int(share.argmax())
    end = start + 1
    while share[start:end].sum() < config.interval_mass:
        left = share[start - 1] if start > 0 else 0.0
        right = share[end] if end < len(share) else 0.0
        if max(left, right) < NEGLIGIBLE:
            break
        start, end = (start - 1, end) if left >= right else (start, end + 1)
    return Transition(
        kind=kind,
        before=first + start,
        after=first + end,
        posterior=min(posterior, 1.0),
        date_posterior=float(min(share[start:end].sum(), 1.0)),
    )
