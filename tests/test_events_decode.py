"""The decoder: one object's looks and pairs to transitions with intervals."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundbreak.events.decode import (
    Chain,
    CountedLook,
    DecodeConfig,
    PairEvidence,
    Transition,
    _bounded,
    find_transition,
)
from groundbreak.events.emission import GRID, Emission, look_table, pair_tables, told_steps
from groundbreak.events.states import (
    FIRST,
    TRANSITIONS,
    Family,
    state_count,
    transition_matrix,
)
from groundbreak.types import Kind

CONFIG = DecodeConfig()
SAID = {
    "none": (0.97, 0.012, 0.012, 0.006),
    "new": (0.05, 0.93, 0.01, 0.01),
    "torn": (0.05, 0.01, 0.93, 0.01),
    "slip": (0.05, 0.01, 0.01, 0.93),
    "half": (0.45, 0.53, 0.01, 0.01),
}


def chain(
    said: Sequence[str],
    *,
    jumps: Sequence[tuple[int, int, str]] = (),
    gap: float = 30.0,
    family: Family = Family.BUILDING,
    config: DecodeConfig = CONFIG,
) -> Chain:
    looks = [CountedLook(gap * n) for n in range(len(said) + 1)]
    pairs = [PairEvidence(n, n + 1, SAID[what]) for n, what in enumerate(said)]
    pairs += [PairEvidence(i, j, SAID[what]) for i, j, what in jumps]
    return Chain(family, looks, pairs, config)


def event(built: Chain, kind: Kind = Kind.NEW_BUILDING) -> Transition:
    found = find_transition(built, kind, 0, built.size - 1, CONFIG)
    assert found is not None
    return found


def test_a_new_building_is_dated_to_the_two_looks_around_it() -> None:
    found = event(chain(["none", "none", "new", "none"]))
    assert (found.before, found.after) == (2, 3)
    assert found.posterior > 0.8
    assert found.date_posterior > 0.9


def test_a_fall_counts_also_where_the_ground_is_green_at_the_next_look() -> None:
    soon = replace(CONFIG, rates=replace(CONFIG.rates, overgrow=100.0))
    built = chain(["none", "torn", "none", "none"], config=soon)
    assert event(built, Kind.DEMOLITION).posterior > 0.6


def test_a_plot_that_stays_silent_after_a_fall_does_not_deny_it() -> None:
    """Bare ground may show anything at each look; ground on which nothing is left shows nothing."""
    silent = ["torn", *["none"] * 12]
    assert event(chain(silent), Kind.DEMOLITION).posterior > 0.5
    noisy = replace(CONFIG, rates=replace(CONFIG.rates, greened=0.0))
    assert event(chain(silent, config=noisy), Kind.DEMOLITION).posterior < 0.2


@pytest.mark.parametrize(
    ("what", "kind", "family"),
    [
        ("new", Kind.NEW_BUILDING, Family.BUILDING),
        ("torn", Kind.DEMOLITION, Family.BUILDING),
        ("slip", Kind.DOCKING_SLIP, Family.SLIP),
    ],
)
def test_every_kind_is_seen_and_not_mistaken(what: str, kind: Kind, family: Family) -> None:
    built = chain(["none", what, "none", "none"], family=family)
    assert event(built, kind).posterior > 0.7
    for other in TRANSITIONS:
        if other is not kind and Family.of(other) is family:
            assert event(built, other).posterior < 0.1


def test_a_search_takes_in_all_steps_in_which_the_event_may_have_happened() -> None:
    """Look 3 shows half a building: it rose before or after it, and surely once."""
    built = chain(["none", "none", "half", "half", "none"])
    whole = event(built)
    assert built.steps(TRANSITIONS[Kind.NEW_BUILDING])[2:4].min() > 0.1
    for first, last in ((1, 3), (3, 5)):
        part = find_transition(built, Kind.NEW_BUILDING, first, last, CONFIG)
        assert part is not None
        assert (part.before, part.after) == (whole.before, whole.after)
        assert part.posterior == pytest.approx(whole.posterior, abs=0.02)


def test_no_change_is_no_event() -> None:
    built = chain(["none"] * 8)
    assert event(built).posterior < 0.1
    assert event(built, Kind.DEMOLITION).posterior < 0.05


def test_one_bad_look_invents_nothing() -> None:
    """A remnant of cloud looks like a roof in one look: new, then demolished."""
    built = chain(["none", "new", "torn", "none", "none"])
    assert event(built).posterior < 0.3
    assert event(built, Kind.DEMOLITION).posterior < 0.3


def test_one_bad_look_hides_nothing() -> None:
    """The building stands from look 2; a shadow hides it in look 4."""
    built = chain(["none", "new", "none", "torn", "new", "none"])
    found = event(built)
    assert (found.before, found.after) == (1, 2)
    assert found.posterior > 0.75
    assert event(built, Kind.DEMOLITION).posterior < 0.3


def test_a_pair_that_jumps_over_a_bad_look_settles_it() -> None:
    denied = event(chain(["none", "new", "torn", "none"], jumps=[(1, 3, "none")]))
    confirmed = event(chain(["none", "new", "none", "none"], jumps=[(1, 3, "new")]))
    assert denied.posterior < 0.5
    assert confirmed.posterior > event(chain(["none", "new", "none", "none"])).posterior


def test_torn_down_then_rebuilt() -> None:
    built = chain(["none", "torn", "none", "new", "none"], gap=60)
    torn, new = event(built, Kind.DEMOLITION), event(built)
    assert (torn.before, torn.after) == (1, 2)
    assert (new.before, new.after) == (3, 4)
    assert min(torn.posterior, new.posterior) > 0.7


def test_the_newest_look_alone_is_less_sure() -> None:
    last = event(chain(["none", "none", "new"]))
    confirmed = event(chain(["none", "none", "new", "none", "none"]))
    assert last.posterior < confirmed.posterior


def test_looks_at_which_it_is_unclear_widen_the_interval() -> None:
    found = event(chain(["none", "half", "half", "none"]))
    assert (found.before, found.after) == (1, 3)


@pytest.mark.parametrize("more", [1, 5, 20])
def test_confidence_does_not_grow_because_there_are_more_looks(more: int) -> None:
    """The same time with more looks, all of them silent but one: no surer than before."""
    few = event(chain(["none"] * 3 + ["new"] + ["none"] * 3))
    parts = more + 1
    said = ["none"] * (7 * parts)
    said[4 * parts - 1] = "new"
    dense = event(chain(said, gap=30.0 / parts))
    assert (dense.before, dense.after) == (4 * parts - 1, 4 * parts)
    assert dense.posterior <= few.posterior + 0.02


# --- against brute force -------------------------------------------------------------------


def brute_force(
    family: Family, looks: Sequence[CountedLook], pairs: Sequence[PairEvidence]
) -> tuple[np.ndarray, dict[tuple[int, ...], float], np.ndarray]:
    """Sum over every path of true states and every combination of shown levels."""
    count, size = state_count(family), len(looks)
    rates, emission = CONFIG.rates, CONFIG.emission
    span = looks[-1].day - looks[0].day
    gaps = np.array([looks[p.later].day - looks[p.earlier].day for p in pairs])
    evidence = np.array([p.probabilities for p in pairs]).reshape(-1, 4)
    steps = told_steps(family, evidence, emission)
    tables = pair_tables(family, steps, 1 - np.exp(-rates.disturbed * gaps / span), emission)
    letters = "abcd"[:size]
    shows = [
        look_table(family, k.misled, k.spread, float(np.hypot(k.spread, emission.works_spread)))
        for k in looks
    ]
    paths: dict[tuple[int, ...], float] = {}
    misled = np.zeros(size)
    for true in itertools.product(range(count), repeat=size):
        weight = FIRST[family][true[0]]
        for k in range(1, size):
            days = looks[k].day - looks[k - 1].day
            weight *= transition_matrix(family, rates, days, span)[true[k - 1], true[k]]
        for k, look in enumerate(looks):
            if look.likelihood is not None:
                weight *= look.likelihood[true[k]]
        # Every combination of levels at once: one axis for each look.
        joint = np.einsum(
            f"{','.join(letters)}->{letters}", *[shows[k][true[k]] for k in range(size)]
        )
        for pair, table in zip(pairs, tables, strict=True):
            shape = [1] * size
            shape[pair.earlier] = shape[pair.later] = len(GRID)
            joint = joint * table.reshape(shape)
        paths[true] = weight * joint.sum()
        for k in range(size):
            share = looks[k].misled / len(GRID) / shows[k][true[k]]
            others = tuple(n for n in range(size) if n != k)
            misled[k] += weight * (joint.sum(axis=others) * share).sum()
    everything = sum(paths.values())
    states = np.zeros((size, count))
    paths = {path: weight / everything for path, weight in paths.items()}
    for path, weight in paths.items():
        for k, state in enumerate(path):
            states[k, state] += weight
    return states, paths, misled / everything


@st.composite
def observations(draw: st.DrawFn) -> tuple[Family, list[CountedLook], list[PairEvidence]]:
    family = draw(st.sampled_from(list(Family)))
    size = draw(st.integers(2, 3 if family is Family.BUILDING else 4))
    days = sorted(draw(st.lists(st.integers(0, 900), min_size=size, max_size=size, unique=True)))
    looks = [
        CountedLook(
            day,
            misled=draw(st.floats(0.001, 0.3)),
            spread=draw(st.floats(0.1, 0.5)),
            likelihood=draw(st.none() | st.tuples(*[st.floats(0.1, 1)] * state_count(family))),
        )
        for day in days
    ]
    every = list(itertools.combinations(range(size), 2))
    pairs = [
        PairEvidence(i, j, draw(st.sampled_from(list(SAID.values()))))
        for i, j in draw(st.lists(st.sampled_from(every), unique=True))
    ]
    return family, looks, pairs


@settings(max_examples=20, deadline=None)
@given(observations())
def test_elimination_is_exact(case: tuple[Family, list[CountedLook], list[PairEvidence]]) -> None:
    family, looks, pairs = case
    # The decoder leaves out the longest pairs where too many looks would be open at once.
    states, paths, misled = brute_force(family, looks, _bounded(pairs))
    built = Chain(family, looks, pairs, CONFIG)
    np.testing.assert_allclose(built.states(), states, atol=1e-6)
    np.testing.assert_allclose(built.misled(), misled, atol=1e-6)
    for kind, moves in TRANSITIONS.items():
        if Family.of(kind) is not family:
            continue
        steps = np.zeros(len(looks) - 1)
        first = np.zeros(len(looks) - 1)
        for path, weight in paths.items():
            happened = [move in moves for move in itertools.pairwise(path)]
            steps += weight * np.array(happened)
            if any(happened):
                first[happened.index(True)] += weight
        np.testing.assert_allclose(built.steps(moves), steps, atol=1e-6)
        np.testing.assert_allclose(built.first_time(moves, 0, len(looks) - 1), first, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(observations(), st.randoms(use_true_random=False))
def test_the_order_in_which_pairs_are_given_does_not_matter(
    case: tuple[Family, list[CountedLook], list[PairEvidence]],
    random,  # type: ignore[no-untyped-def]
) -> None:
    family, looks, pairs = case
    shuffled = list(pairs)
    random.shuffle(shuffled)
    one, other = Chain(family, looks, pairs, CONFIG), Chain(family, looks, shuffled, CONFIG)
    np.testing.assert_allclose(one.states(), other.states(), atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    said=st.lists(st.sampled_from(["none", "new", "torn", "half"]), min_size=1, max_size=8),
    mass=st.floats(0.5, 0.99),
)
def test_a_wider_interval_is_stated_only_for_more_certainty(said: list[str], mass: float) -> None:
    built = chain(said)
    wide = find_transition(
        built, Kind.NEW_BUILDING, 0, built.size - 1, replace(CONFIG, interval_mass=mass)
    )
    short = find_transition(
        built, Kind.NEW_BUILDING, 0, built.size - 1, replace(CONFIG, interval_mass=0.0)
    )
    assert wide is not None
    assert short is not None
    if short.after is None or wide.after is None:  # works go on: dated by their beginning
        assert wide == short
        return
    first = short.before or 0
    assert short.after == first + 1
    assert (wide.before or 0) <= first
    assert wide.after >= short.after
    assert wide.date_posterior >= short.date_posterior - 1e-9
    assert wide.posterior == short.posterior
    ever = built.first_time(TRANSITIONS[Kind.NEW_BUILDING], 0, built.size - 1).sum()
    assert wide.posterior == pytest.approx(min(ever, 1.0))


@pytest.mark.parametrize("family", list(Family))
def test_evidence_tells_a_step(family: Family) -> None:
    sure, none = ("slip", "none") if family is Family.SLIP else ("new", "none")
    said = np.array([SAID[name] for name in (sure, none, "torn", "half")])
    steps = told_steps(family, said, Emission())
    assert steps[0] == pytest.approx(1.0, abs=0.15)
    assert steps[1] == pytest.approx(0.0, abs=0.1)
    if family is Family.BUILDING:
        assert steps[2] == pytest.approx(-steps[0])
        assert 0.3 < steps[3] < 0.9
        swapped = told_steps(family, said[:, [0, 2, 1, 3]], Emission())
        np.testing.assert_allclose(swapped, -steps, atol=1e-9)
    else:
        assert steps[2] == 0.0  # a berth that goes has no class


def test_many_jumping_pairs_stay_tractable() -> None:
    """Every pair of 14 looks: the longest are left out, the answer stands."""
    looks = [CountedLook(30.0 * n) for n in range(14)]
    pairs = [
        PairEvidence(i, j, SAID["new" if i < 7 <= j else "none"])
        for i, j in itertools.combinations(range(14), 2)
    ]
    found = event(Chain(Family.BUILDING, looks, pairs, CONFIG))
    assert (found.before, found.after) == (6, 7)
    assert found.posterior > 0.95


def test_a_single_look_can_be_asked() -> None:
    built = Chain(Family.BUILDING, [CountedLook(0.0)], [], CONFIG)
    np.testing.assert_allclose(built.states()[0], FIRST[Family.BUILDING])
    assert find_transition(built, Kind.NEW_BUILDING, 0, 0, CONFIG) is None


def test_of_two_gaps_with_the_same_evidence_the_longer_is_the_likelier() -> None:
    looks = [CountedLook(day) for day in (0.0, 30.0, 40.0, 130.0, 160.0)]
    said = ["none", "half", "half", "none"]
    pairs = [PairEvidence(n, n + 1, SAID[what]) for n, what in enumerate(said)]
    share = Chain(Family.BUILDING, looks, pairs, CONFIG).first_time(
        TRANSITIONS[Kind.NEW_BUILDING], 0, 4
    )
    assert share[2] > 2 * share[1]


@pytest.mark.parametrize("gap", [3.0, 30.0, 365.0, 3650.0])
def test_two_looks_are_believed_about_as_much_as_the_network_is(gap: float) -> None:
    assert 0.7 < event(chain(["new"], gap=gap)).posterior < 0.95
    assert 0.3 < event(chain(["half"], gap=gap)).posterior < 0.75
    assert event(chain(["none"], gap=gap)).posterior < 0.15


@pytest.mark.parametrize("family", list(Family))
def test_the_chain_does_not_depend_on_where_a_gap_is_cut(family: Family) -> None:
    whole, first, second = (
        transition_matrix(family, CONFIG.rates, days, 300.0) for days in (100.0, 40.0, 60.0)
    )
    np.testing.assert_allclose(whole, first @ second, atol=1e-12)
    np.testing.assert_allclose(whole.sum(axis=1), 1.0)


def test_works_that_go_on_at_the_last_look_have_an_open_end() -> None:
    """What the last looks show alone (a building site) decides."""
    site = (0.02, 0.1, 1.0, 0.02, 0.02)
    looks = [CountedLook(40.0 * n, likelihood=site if n >= 3 else None) for n in range(5)]
    said = ["none", "none", "half", "none"]
    pairs = [PairEvidence(n, n + 1, SAID[what]) for n, what in enumerate(said)]
    found = event(Chain(Family.BUILDING, looks, pairs, CONFIG))
    assert (found.before, found.after) == (2, None)
    assert found.posterior > 0.7


def test_works_that_are_under_way_at_the_first_look_have_an_open_start() -> None:
    site = (0.02, 0.1, 1.0, 0.02, 0.02)
    looks = [CountedLook(40.0 * n, likelihood=site if n == 0 else None) for n in range(4)]
    pairs = [PairEvidence(n, n + 1, SAID[what]) for n, what in enumerate(["half", "none", "none"])]
    found = event(Chain(Family.BUILDING, looks, pairs, CONFIG))
    assert (found.before, found.after) == (None, 1)


def test_what_is_simply_there_at_the_first_look_is_no_event() -> None:
    standing = (0.02, 0.02, 0.02, 1.0, 1.0)
    looks = [CountedLook(40.0 * n, likelihood=standing) for n in range(4)]
    pairs = [PairEvidence(n, n + 1, SAID["none"]) for n in range(3)]
    built = Chain(Family.BUILDING, looks, pairs, CONFIG)
    assert event(built).posterior < 0.01
    assert event(built, Kind.DEMOLITION).posterior < 0.05
