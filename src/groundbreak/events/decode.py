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

from groundbreak.events.checks import check_share
from groundbreak.events.emission import GRID, Emission, look_table, pair_tables, told_steps
from groundbreak.events.states import (
    BEGINNINGS,
    FIRST,
    SAME_DAY,
    TRANSITIONS,
    UNDER_WAY,
    Family,
    Matrix,
    Rates,
    transition_matrix,
)
from groundbreak.types import Kind

MAX_OPEN = 2
"""Looks kept open at once; of more, the longest pairs are left out (they add least)."""


NEGLIGIBLE = 0.01
"""Steps with less of a date's posterior do not widen an interval."""


@dataclass(frozen=True)
class DecodeConfig:
    """Parameters of the decoder.

    Attributes:
        rates: how often plots change.
        emission: what looks and pairs show.
        interval_mass: share of the posterior of its date that the stated interval shall hold:
            looks that might be on either side of the event widen it.
    """

    rates: Rates = field(default_factory=Rates)
    emission: Emission = field(default_factory=Emission)
    interval_mass: float = 0.75

    def __post_init__(self) -> None:
        check_share("interval_mass", self.interval_mass)


@dataclass(frozen=True)
class CountedLook:
    """A look that counts for the object.

    ``day`` is its time in days from any origin; ``misled`` the probability that it shows
    anything, ``spread`` the standard deviation of the level it shows. ``likelihood`` of each
    state given what this look alone shows, None when nothing is known.
    """

    day: float
    misled: float = 0.03
    spread: float = 0.20
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
        shows = [_shows(family, look, config.emission) for look in looks]
        self._doubts = [
            look.misled / len(GRID) / table for look, table in zip(looks, shows, strict=True)
        ]
        self._steps, start, self._closed_first = _eliminate(
            family, looks, shows, _bounded(pairs), config
        )
        self._start = start / start.sum()
        self._forward, self._scales = [self._start.sum(axis=self._closed_first)], [1.0]
        for step in self._steps:
            alpha = _advance(self._forward[-1], step, step.transition)
            self._scales.append(float(alpha.sum()))
            self._forward.append(alpha / self._scales[-1])
        self._backward = [np.ones_like(self._forward[-1])]
        self._messages: list[Matrix] = []
        for step, scale in zip(self._steps[::-1], self._scales[:0:-1], strict=True):
            message = (step.shown * np.expand_dims(self._backward[0], step.closed)).sum(axis=-1)
            self._messages.insert(0, message / scale)
            self._backward.insert(0, _times(step.transition, message / scale))

    def states(self) -> Matrix:
        """Posterior of the state at every look, (looks, states)."""
        both = [alpha * beta for alpha, beta in zip(self._forward, self._backward, strict=True)]
        return np.array([joint.reshape(len(joint), -1).sum(axis=1) for joint in both])

    def misled(self) -> Matrix:
        """Posterior that each look shows anything instead of the true state, (looks,)."""
        joints = [_spread(self._start * np.expand_dims(self._backward[0], self._closed_first))]
        for alpha, step, beta, scale in zip(
            self._forward, self._steps, self._backward[1:], self._scales[1:], strict=False
        ):
            moved = _times(step.transition.T, alpha)
            joint = moved[..., None] * step.shown * np.expand_dims(beta, step.closed) / scale
            joints.append(_spread(joint))
        return np.array(
            [(joint * doubt).sum() for joint, doubt in zip(joints, self._doubts, strict=True)]
        )

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


def _spread(joint: Matrix) -> Matrix:
    """Sum out the open looks: (true state, ..., shown state) to (true state, shown state)."""
    return np.asarray(joint.reshape(joint.shape[0], -1, joint.shape[-1]).sum(axis=1))


def _times(matrix: Matrix, tensor: Matrix) -> Matrix:
    """Matrix product over the first axis of a tensor."""
    return np.asarray((matrix @ tensor.reshape(len(tensor), -1)).reshape(tensor.shape))


def _advance(alpha: Matrix, step: _Step, transition: Matrix) -> Matrix:
    moved = _times(transition.T, alpha)
    return np.asarray((moved[..., None] * step.shown).sum(axis=step.closed))


def _eliminate(
    family: Family,
    looks: Sequence[CountedLook],
    shows: Sequence[Matrix],
    pairs: Sequence[PairEvidence],
    config: DecodeConfig,
) -> tuple[list[_Step], Matrix, tuple[int, ...]]:
    """Lay out the summation: the first look (true, shown), and one step for each of the others."""
    last = list(range(len(looks)))
    for pair in pairs:
        last[pair.earlier] = max(last[pair.earlier], pair.later)
    seen = [
        table if look.likelihood is None else table * np.asarray(look.likelihood)[:, None]
        for look, table in zip(looks, shows, strict=True)
    ]
    start = np.array(FIRST[family])[:, None] * seen[0]
    opened = [0] if last[0] > 0 else []
    span = max(looks[-1].day - looks[0].day, SAME_DAY)
    waiting = _tables(family, looks, pairs, span, config)
    steps = []
    for k in range(1, len(looks)):
        days = looks[k].day - looks[k - 1].day
        axes = [*opened, k]
        shown = seen[k].reshape(-1, *[1] * len(opened), len(GRID))
        for pair, table in waiting.get(k, []):
            shape = [1] * (len(axes) + 1)
            shape[axes.index(pair.earlier) + 1] = shape[-1] = len(table)
            shown = shown * table.reshape(shape)
        closed = tuple(1 + n for n, look in enumerate(axes) if last[look] <= k)
        sizes = (len(seen[k]), *[len(GRID)] * len(axes))
        steps.append(
            _Step(
                transition_matrix(family, config.rates, days, span),
                np.broadcast_to(shown, sizes),
                closed,
            )
        )
        opened = [look for look in axes if last[look] > k]
    return steps, start, (1,) if last[0] == 0 else ()


def _tables(
    family: Family,
    looks: Sequence[CountedLook],
    pairs: Sequence[PairEvidence],
    span: float,
    config: DecodeConfig,
) -> dict[int, list[tuple[PairEvidence, Matrix]]]:
    """Likelihood tables of the pairs, by later look."""
    if not pairs:
        return {}
    days = np.array([max(looks[p.later].day - looks[p.earlier].day, SAME_DAY) for p in pairs])
    disturbed = 1 - np.exp(-config.rates.disturbed * days / span)
    evidence = np.array([pair.probabilities for pair in pairs])
    steps = told_steps(family, evidence, config.emission)
    tables = pair_tables(family, steps, disturbed, config.emission)
    found: dict[int, list[tuple[PairEvidence, Matrix]]] = {}
    for pair, table in zip(pairs, tables, strict=True):
        found.setdefault(pair.later, []).append((pair, table))
    return found


def _shows(family: Family, look: CountedLook, emission: Emission) -> Matrix:
    works_spread = float(np.hypot(look.spread, emission.works_spread))
    return look_table(family, look.misled, look.spread, works_spread)


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

    An interval holds the event if works had begun at its end and were not finished at its start.
    The stated one is the likeliest step from one look to the next, widened to its sides until it
    holds the event with a probability of ``interval_mass``, or until that helps no more. It has
    an open end if works are rather under way at the last look than finished, and an open start
    if they were under way at the first.

    Args:
        chain: the object's posterior.
        kind: of event.
        first: where to search: the earliest look that may be the last without.
        last: likewise, the latest look that may be the first with; the search is widened by
            neighbouring steps in which the event may have happened.
        config: see `DecodeConfig`.

    Returns:
        The transition; None if there is no step between the looks.
    """
    if last <= first:
        return None
    first, last = _whole(chain.steps(TRANSITIONS[kind]), first, last)
    done = chain.first_time(TRANSITIONS[kind], first, last)
    finished = min(float(done.sum()), 1.0)
    unfinished = _unfinished(chain, kind, first, last)
    if unfinished > finished:
        begun = chain.steps(BEGINNINGS[kind])[first:last]
        return Transition(
            kind=kind,
            before=first + int(begun.argmax()),
            after=None,
            posterior=min(finished + unfinished, 1.0),
            date_posterior=unfinished / (finished + unfinished),
        )
    moves = (*TRANSITIONS[kind], *BEGINNINGS.get(kind, ()))
    start, end, held = _interval(chain.first_time(moves, first, last), done, config.interval_mass)
    before: int | None = first + start
    if before == 0 and kind in UNDER_WAY and chain.states()[0, UNDER_WAY[kind]] > 0.5:
        before = None
    return Transition(kind, before, first + end, finished, held)


def _whole(happened: Matrix, first: int, last: int) -> tuple[int, int]:
    """Widen a search by the steps beside it in which the same event may have happened.

    A look that misleads founds an object of its own beside the true one; each would find only a
    part of the event's posterior, and none would be sure of it.

    Args:
        happened: probability of the event in each step.
        first: first look of the search.
        last: last look of the search.
    """
    while first > 0 and happened[first - 1] >= NEGLIGIBLE:
        first -= 1
    while last < len(happened) and happened[last] >= NEGLIGIBLE:
        last += 1
    return first, last


def _interval(begun: Matrix, done: Matrix, wanted: float) -> tuple[int, int, float]:
    """First look, last look and held share of the interval about the likeliest step.

    Args:
        begun: probability that works began in each step.
        done: that they were finished in it.
        wanted: share of the event that the interval shall hold.
    """
    total = max(float(done.sum()), 1e-12)
    begun_by = np.minimum(np.concatenate([[0.0], np.cumsum(begun)]) / total, 1.0)
    done_by = np.concatenate([[0.0], np.cumsum(done)]) / total

    def held(start: int, end: int) -> float:
        return float(np.clip(begun_by[end] - done_by[start], 0.0, 1.0))

    # Of steps that hold the event alike, the one in which it was finished.
    steps = range(len(done))
    start = max(steps, key=lambda n: (round(held(n, n + 1), 3), done[n]))
    end = start + 1
    while held(start, end) < wanted:
        wider = [
            (s, e) for s, e in ((start - 1, end), (start, end + 1)) if s >= 0 and e <= len(done)
        ]
        best = max(wider, key=lambda ends: held(*ends), default=(start, end))
        if held(*best) - held(start, end) < NEGLIGIBLE:
            break
        start, end = best
    return start, end, held(start, end)


def _unfinished(chain: Chain, kind: Kind, first: int, last: int) -> float:
    """Posterior that works for an event began between the looks and go on at the last of all."""
    if kind not in UNDER_WAY or last < chain.size - 1:
        return 0.0
    going_on = float(chain.states()[-1, UNDER_WAY[kind]])
    return min(going_on, float(chain.steps(BEGINNINGS[kind])[first:last].sum()))
