"""Observations without pixels: the evidence follows the truth, and errs where it should."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from groundbreak.simulate.observations import (
    ObservationConfig,
    ObservedSite,
    PlotState,
    simulate_observations,
)
from groundbreak.types import Kind

MANY = [simulate_observations(11, number=k) for k in range(30)]


def test_a_seed_and_a_number_always_give_the_same_site() -> None:
    again = simulate_observations(11, number=3)
    assert again.dates == MANY[3].dates
    assert np.array_equal(again.shown, MANY[3].shown)
    assert again.probabilities(5, 0, 2) == MANY[3].probabilities(5, 0, 2)
    assert again.dates != MANY[4].dates


def test_gaps_and_shifts_stay_in_their_bounds() -> None:
    gaps = [
        (b - a) / timedelta(days=1)
        for site in MANY
        for a, b in zip(site.dates[:-1], site.dates[1:], strict=True)
    ]
    assert min(gaps) >= 3
    assert max(gaps) <= 120
    residual = np.concatenate([site.residual_px for site in MANY])
    aligned = np.concatenate([site.aligned for site in MANY])
    assert residual.max() <= 1.5
    assert residual[aligned].max() <= 0.2
    assert 0.8 < aligned.mean() < 1


def test_every_event_is_a_change_of_state_between_two_looks() -> None:
    kinds = set()
    for site in MANY:
        for event in site.truth:
            kinds.add(event.kind)
            number = int(event.object_id.rsplit("-", 1)[1])
            assert event.end_datetime is not None
            assert site.dates[0] < event.end_datetime <= site.dates[-1]
            later = next(k for k, date in enumerate(site.dates) if date >= event.end_datetime)
            before, after = site.states[number, later - 1], site.states[number, later]
            if event.kind is Kind.DEMOLITION:
                assert before == PlotState.PRESENT
            else:
                assert before != PlotState.PRESENT
                fell_again = any(
                    e.start_datetime > event.end_datetime
                    for e in site.truth
                    if e.object_id == event.object_id
                )
                assert after == PlotState.PRESENT or fell_again
    assert kinds == set(Kind)


def test_a_replaced_building_is_a_chain() -> None:
    chains = [(site, event) for site in MANY for event in site.truth if event.replaces]
    assert chains
    for site, event in chains:
        old = next(e for e in site.truth if e.id == event.replaces)
        assert old.kind is Kind.DEMOLITION
        assert old.object_id == event.object_id
        assert old.end_datetime is not None
        assert event.end_datetime is not None
        assert old.end_datetime < event.end_datetime


def hits(sites: list[ObservedSite]) -> tuple[float, float]:
    """Share of new buildings that their pair shows, and of quiet pairs that show one."""
    found, invented = [], []
    for site in sites:
        for number in np.flatnonzero(~site.berth):
            for k in range(len(site.dates) - 1):
                if min(site.usable[number, k : k + 2]) < 0.9:
                    continue
                states = site.states[number, k], site.states[number, k + 1]
                new = site.probabilities(int(number), k, k + 1)[1] > 0.5
                if states[1] == PlotState.PRESENT != states[0]:
                    found.append(new)
                elif states[0] == states[1]:
                    invented.append(new)
    return float(np.mean(found)), float(np.mean(invented))


def test_evidence_is_good_but_not_perfect() -> None:
    found, invented = hits(MANY)
    assert 0.6 < found < 0.95
    assert 0.002 < invented < 0.08


def test_perfect_evidence_is_perfect() -> None:
    perfect = ObservationConfig.perfect()
    assert hits([simulate_observations(11, perfect, k) for k in range(8)]) == (1.0, 0.0)


def test_pairs_share_the_errors_of_their_looks() -> None:
    """Two pairs with a look in common err together; two without do not."""
    quiet = ObservationConfig(stories=(0, 1, 0, 0, 0, 0), pair_error=0.1, swing=0.0)
    shared, apart = [], []
    for k in range(30):
        site = simulate_observations(5, quiet, k)
        for number in range(quiet.objects):
            a, b, c = (site.log_odds(number, *pair)[0] for pair in ((0, 2), (1, 2), (3, 4)))
            shared.append((a, b))
            apart.append((a, c))
    assert np.corrcoef(np.array(shared).T)[0, 1] > 0.35
    assert abs(np.corrcoef(np.array(apart).T)[0, 1]) < 0.12


def test_probabilities_add_up() -> None:
    site = MANY[0]
    for number in range(10):
        assert sum(site.probabilities(number, 0, 1)) == pytest.approx(1.0)


def test_some_looks_are_cloudy() -> None:
    usable = np.concatenate([site.usable.ravel() for site in MANY])
    assert 0.7 < usable.mean() < 0.95
    assert ((usable > 0) & (usable < 1)).any()
