"""Dates: hand-worked numbers, and SCOT against a second implementation by its definition."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from shapely.geometry import box

from groundbreak.evaluate.dates import (
    FAR,
    SaidEvent,
    TrueEvent,
    date_gap,
    finest_steps,
    is_observable,
    is_observable_link,
    midpoint_error,
    missed_by_days,
    shortest_interval,
    timing,
    winkler,
    winkler_bounds,
)
from groundbreak.evaluate.scot import Frame, scot
from groundbreak.evaluate.temporal import calibration, chain_scores, match_events, temporal_scores
from groundbreak.types import Interval, Kind


def day(number: float) -> datetime:
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=number)


def true(name: str, begun: float, done: float | None = None, x: float = 0, **more: object):
    values = {"site_id": "port", "kind": Kind.NEW_BUILDING, "geometry": box(x, 0, x + 10, 10)}
    finished = begun if done is None else done
    return TrueEvent(id=name, begun=day(begun), done=day(finished), **(values | more))


def said(name: str, start: float | None, end: float | None, x: float = 0, **more: object):
    values = {
        "site_id": "port",
        "kind": Kind.NEW_BUILDING,
        "geometry": box(x, 0, x + 10, 10),
        "confidence": 0.9,
        "date_confidence": 0.9,
    }
    return SaidEvent(id=name, interval=interval(start, end), **(values | more))


def interval(start: float | None, end: float | None) -> Interval:
    return Interval(None if start is None else day(start), None if end is None else day(end))


class TestIntervals:
    @pytest.mark.parametrize(
        ("start", "end", "expected", "missed_by"),
        [
            (10, 20, "covered", 0),
            (10, 15, "covered", 0),  # the look at the date itself shows it
            (15, 20, "late", 0),  # and can therefore not be the last one without
            (16, 20, "late", 1),
            (5, 12, "early", 3),
            (None, 12, "early", 3),
            (None, 15, "covered", 0),
            (10, None, "covered", 0),
            (18, None, "late", 3),
            (None, None, "covered", 0),
        ],
    )
    def test_an_instant(
        self, start: float | None, end: float | None, expected: str, missed_by: float
    ) -> None:
        assert timing(interval(start, end), true("a", 15)) == expected
        assert missed_by_days(interval(start, end), true("a", 15)) == missed_by

    def test_any_day_of_a_construction_will_do(self) -> None:
        slow = true("a", 10, 30)
        assert timing(interval(25, 40), slow) == "covered"
        assert timing(interval(30, 40), slow) == "late"
        assert timing(interval(0, 9), slow) == "early"

    def test_shortest_interval(self) -> None:
        looks = [(day(d), day(d)) for d in (0, 10, 20, 30, 40)]
        assert shortest_interval(day(15), looks) == interval(10, 20)
        assert shortest_interval(day(20), looks) == interval(10, 20)  # that look shows it
        assert shortest_interval(day(45), looks) == interval(40, None)
        assert shortest_interval(day(15), []) == interval(None, None)

    def test_looks_of_uncertain_date_count_with_their_outer_bounds(self) -> None:
        looks = [(day(0), day(5)), (day(10), day(14)), (day(20), day(29))]
        assert shortest_interval(day(12), looks) == interval(0, 29)
        assert shortest_interval(day(16), looks) == interval(10, 29)

    def test_finest_steps(self) -> None:
        looks = [(day(d), day(d)) for d in (0, 10, 20, 30)]
        assert finest_steps(true("a", 15), looks) == [interval(10, 20)]
        assert finest_steps(true("a", 15, 25), looks) == [interval(10, 20), interval(20, 30)]
        assert finest_steps(true("a", 25, 90), looks) == [interval(20, 30), interval(30, None)]
        assert finest_steps(true("a", 5), []) == [interval(None, None)]

    def test_observability(self) -> None:
        looks = [(day(d), day(d)) for d in (0, 10, 20, 30, 40)]
        assert is_observable(true("a", 15), looks)
        assert not is_observable(true("a", 35, 50), looks)
        assert not is_observable(
            TrueEvent("a", "s", Kind.DEMOLITION, box(0, 0, 1, 1), day(5), FAR), looks
        )
        assert not is_observable(true("a", 15), [])

    def test_midpoint_error_is_signed(self) -> None:
        assert midpoint_error(interval(10, 20), true("a", 12)) == 3
        assert midpoint_error(interval(10, 20), true("a", 18)) == -3
        assert midpoint_error(interval(10, 20), true("a", 14, 16)) == 0
        assert midpoint_error(interval(10, 20), true("a", 17, 40)) == -2
        assert midpoint_error(interval(10, None), true("a", 12)) is None

    def test_winkler_by_hand(self) -> None:
        assert winkler(interval(10, 20), day(15)) == 10
        assert winkler(interval(10, 20), day(7), alpha=0.1) == pytest.approx(10 + 20 * 3)
        assert winkler(interval(10, 20), day(21), alpha=0.2) == pytest.approx(10 + 10 * 1)
        assert winkler(interval(10, None), day(21)) is None
        # Admissible 18 ... 22: the best date is inside, the worst two days outside.
        assert winkler_bounds(interval(10, 20), true("a", 18, 22)) == (10, pytest.approx(50))

    def test_winkler_bounds_are_those_of_all_admissible_dates(self) -> None:
        rng = np.random.default_rng(3)
        for _ in range(50):
            start, end = sorted(rng.uniform(0, 100, 2))
            begun, done = sorted(rng.uniform(0, 100, 2))
            every = [winkler(interval(start, end), day(d)) for d in np.linspace(begun, done, 2001)]
            bounds = winkler_bounds(interval(start, end), true("a", begun, done))
            assert bounds == pytest.approx((min(every), max(every)), abs=1.1)

    @pytest.mark.parametrize(
        ("date", "expected"), [(3, (-2, -7)), (12, (2, 7)), (7, (0, -3)), (5, (0, -5)), (9, (0, 4))]
    )
    def test_gaps_to_the_nearest_and_farthest_date(
        self, date: float, expected: tuple[float, float]
    ) -> None:
        assert date_gap(day(date), interval(5, 10)) == expected


class TestMatching:
    def test_site_kind_and_overlap_must_agree(self) -> None:
        truth = [true("a", 15)]
        assert match_events(truth, [said("1", 10, 20, x=4)])  # IoU 60/140
        assert not match_events(truth, [said("1", 10, 20, x=7)])  # IoU 30/170
        assert not match_events(truth, [said("1", 10, 20, site_id="mine")])
        assert not match_events(truth, [said("1", 10, 20, kind=Kind.DEMOLITION)])

    def test_time_decides_between_events_of_one_plot(self) -> None:
        truth = [true("first", 15), true("second", 200)]
        events = [said("late", 190, 210), said("soon", 10, 20)]
        pairs = {(t.id, s.id) for t, s in match_events(truth, events)}
        assert pairs == {("first", "soon"), ("second", "late")}

    def test_nothing_to_match(self) -> None:
        assert match_events([], [said("1", 0, 1)]) == []
        assert match_events([true("a", 1)], []) == []


class TestScores:
    looks = tuple((day(d), day(d)) for d in range(0, 101, 10))

    def scores(self, truth: list[TrueEvent], events: list[SaidEvent]) -> dict:
        return temporal_scores(truth, events, {t.id: self.looks for t in truth}, site_years=2.0)

    def test_hand_worked_run(self) -> None:
        truth = [
            true("exact", 15, x=0),
            true("wide", 35, x=100),
            true("early", 55, x=200),
            true("missed", 65, x=300),
            true("unseen", 105, x=400),  # after the last look
        ]
        events = [
            said("1", 10, 20, x=0, confidence=0.95),
            said("2", 20, 50, x=100, confidence=0.9),
            said("3", 30, 40, x=200, confidence=0.9),
            said("4", 0, 10, x=900, confidence=0.2, provisional=True),
        ]
        scores = self.scores(truth, events)
        assert scores["observable_events"] == 4
        assert (scores["found"], scores["missed"], scores["invented"]) == (3, 1, 1)
        assert scores["invented_provisional"] == 1
        assert scores["invented_per_site_year"] == 0.5
        assert scores["coverage"] == pytest.approx(2 / 3)
        assert (scores["early"], scores["late"]) == (1, 0)
        assert scores["width"] == {
            "median_days": 10,
            "median_ratio": 1,
            "as_short_as_possible": pytest.approx(1 / 3),
        }
        # Midpoints 15, 35, 35 against 15, 35, 55.
        assert scores["date_error_days"]["bias"] == pytest.approx(-20 / 3)
        assert scores["date_error_days"]["median_absolute"] == 0
        assert scores["winkler_days"]["best"] == pytest.approx((10 + 30 + 10 + 20 * 15) / 3)
        confidence = scores["calibration"]["confidence"]
        assert confidence["ece"] == pytest.approx((abs(3 - 2.75) + 0.2) / 4)
        assert scores["calibration"]["date_confidence"]["ece"] == pytest.approx(0.9 - 2 / 3)
        assert scores["by_kind"]["new_building"]["missed"] == 1
        assert scores["by_kind"]["demolition"]["true_events"] == 0

    def test_smart_gaps_of_a_construction(self) -> None:
        scores = self.scores([true("a", 15, 42)], [said("1", 20, 40)])
        # Begun between the looks of days 10 and 20; finished between 40 and 50.
        assert scores["smart_gap_days"]["start"]["worst_mean_absolute"] == 10
        assert scores["smart_gap_days"]["start"]["perfect"] == 1
        assert scores["smart_gap_days"]["end"]["best_mean"] == 0
        assert self.scores([true("a", 15, 42)], [said("1", 30, 60)])["smart_gap_days"] == {
            "start": {
                "count": 1,
                "best_mean": 10,
                "best_mean_absolute": 10,
                "worst_mean_absolute": 20,
                "early": 0,
                "late": 1,
                "perfect": 0,
            },
            "end": {
                "count": 1,
                "best_mean": 10,
                "best_mean_absolute": 10,
                "worst_mean_absolute": 20,
                "early": 0,
                "late": 1,
                "perfect": 0,
            },
        }

    def test_nothing_said_nothing_true(self) -> None:
        scores = self.scores([], [])
        assert scores["coverage"] is None
        assert scores["width"]["median_ratio"] is None
        assert scores["calibration"]["confidence"]["ece"] is None
        assert scores["winkler_days"]["best"] is None
        assert temporal_scores([], [], {}, site_years=0)["invented_per_site_year"] is None

    def test_any_step_of_the_works_is_as_short_as_possible(self) -> None:
        slow = true("a", 15, 42)
        for start, end, best, ratio in (
            (20, 30, True, 1),
            (40, 50, True, 1),
            (10, 50, True, 1),  # from the last look before the works to the first after them
            (20, 40, False, 2),
            (50, 60, False, 1),
        ):
            scores = self.scores([slow], [said("1", start, end)])
            assert scores["width"]["as_short_as_possible"] == best
            assert scores["width"]["median_ratio"] == ratio
        assert self.scores([slow], [said("1", 20, 30)])["coverage"] == 1
        assert self.scores([slow], [said("1", 20, 30)])["coverage_of_completion"] == 0
        assert self.scores([slow], [said("1", 40, 50)])["coverage_of_completion"] == 1

    def test_unfinished_works(self) -> None:
        begun = replace(true("a", 85), done=FAR)
        scores = self.scores([begun], [said("1", 80, None)])
        assert (scores["found"], scores["coverage"], scores["observable_events"]) == (1, 1, 0)
        assert scores["winkler_days"]["best"] is None
        assert self.scores([begun], [said("1", 80, 90)])["winkler_days"]["best"] is None
        assert self.scores([begun], [])["missed"] == 0

    def test_open_ends_are_left_out_of_widths(self) -> None:
        scores = self.scores([true("a", 95, 120)], [said("1", 90, None)])
        assert scores["coverage"] == 1
        assert scores["width"]["median_days"] is None
        assert scores["width"]["as_short_as_possible"] == 1
        assert scores["date_error_days"]["count"] == 0


class TestChains:
    def test_hand_worked_links(self) -> None:
        gone = Kind.DEMOLITION
        truth = [
            true("gone", 10, kind=gone),
            true("new", 60, replaces=("gone",)),
            true("gone2", 10, x=100, kind=gone),
            true("new2", 60, x=100, replaces=("gone2",)),
        ]
        events = [
            said("1", 5, 15, kind=gone),
            said("2", 55, 65, replaces=("1",)),
            said("3", 55, 65, x=100, replaces=("1",)),  # replaces the wrong one
        ]
        spans = [(day(look), day(look)) for look in (5, 30, 70)]
        looks = {"new": spans, "new2": spans}
        scores = chain_scores(truth, events, match_events(truth, events), looks)
        assert scores["precision"] == 0.5
        assert scores["recall"] == 0.5
        assert scores["f1"] == 0.5

    def test_a_link_between_unmatched_events_is_wrong(self) -> None:
        events = [said("1", 0, 1, x=500), said("2", 5, 6, x=500, replaces=("1",))]
        scores = chain_scores([true("a", 3)], events, [], {})
        assert scores["precision"] == 0
        assert scores["recall"] is None
        assert scores["f1"] is None

    @pytest.mark.parametrize(
        ("looks", "shown"),
        [
            ((5, 30, 70), True),
            ((5, 10, 60), True),  # the looks on the days themselves show what is done
            ((10, 30, 70), False),  # nothing before the demolition
            ((5, 70), False),  # no look between: built on at both
            ((5, 60, 70), False),
            ((5, 30, 59), False),  # nothing after the new building
        ],
    )
    def test_only_what_looks_show_can_be_missed(self, looks: tuple[int, ...], shown: bool) -> None:
        old = true("gone", 10, kind=Kind.DEMOLITION)
        new = true("new", 60, replaces=("gone",))
        spans = [(day(look), day(look)) for look in looks]
        assert is_observable_link(old, new, spans) == shown
        scores = chain_scores([old, new], [], [], {"new": spans})
        assert scores["observable_links"] == shown
        assert scores["recall"] == (0 if shown else None)
        assert scores["recall_of_all"] == 0

    def test_a_right_link_that_no_look_should_show_counts_as_one(self) -> None:
        truth = [true("gone", 10, kind=Kind.DEMOLITION), true("new", 60, replaces=("gone",))]
        events = [
            said("1", 5, 15, kind=Kind.DEMOLITION),
            said("2", 55, 65, replaces=("1",)),
        ]
        scores = chain_scores(truth, events, match_events(truth, events), {})
        assert (scores["precision"], scores["recall"], scores["f1"]) == (1, 1, 1)


def test_calibration_of_single_events() -> None:
    assert calibration([0.8] * 5, [True] * 4 + [False])["ece"] == pytest.approx(0, abs=1e-6)
    assert calibration([], [])["ece"] is None


def scot_by_definition(truth: list[Frame], said: list[Frame], gone: bool) -> tuple[float, ...]:
    """SCOT written down from the paper's words: dense matrices, whole history kept."""
    history: list[tuple[int, str, str]] = []
    tp = fp = fn = 0
    per_frame = []
    for step, (t, s) in enumerate(zip(truth, said, strict=True)):
        names = sorted(t), sorted(s)
        iou = np.array(
            [
                [t[a].intersection(s[b]).area / t[a].union(s[b]).area for b in names[1]]
                for a in names[0]
            ]
        ).reshape(len(names[0]), len(names[1]))
        rows, columns = linear_sum_assignment((iou > 0.25) * (100 + iou), maximize=True)
        pairs = [
            (names[0][i], names[1][j])
            for i, j in zip(rows, columns, strict=True)
            if iou[i, j] > 0.25
        ]
        per_frame.append(pairs)
        history += [(step, a, b) for a, b in pairs]
        tp += len(pairs)
        fp += len(s) - len(pairs)
        fn += len(t) - len(pairs)
    mm = 0
    for step, a, b in history:
        last_b = [q for p, x, q in history if p < step and x == a][-1:]
        last_a = [x for p, x, q in history if p < step and q == b][-1:]
        mm += bool((last_b and last_b != [b]) or (last_a and last_a != [a]))

    def firsts(frames: list[Frame], order: range) -> dict[str, int]:
        first: dict[str, int] = {}
        for step in order:
            for name in frames[step]:
                first.setdefault(name, step)
        return first

    def change(order: range) -> np.ndarray:
        new_t, new_s = firsts(truth, order), firsts(said, order)
        both = sum(
            new_t[a] == step and new_s[b] == step and step != order[0]
            for step in order
            for a, b in per_frame[step]
        )
        appeared_t = sum(step != order[0] for step in new_t.values())
        appeared_s = sum(step != order[0] for step in new_s.values())
        return np.array([both, appeared_s - both, appeared_t - both])

    counts = change(range(len(truth)))
    if gone:
        counts = counts + change(range(len(truth) - 1, -1, -1))

    def f1(a: float, b: float, c: float) -> float:
        return a / (a + (b + c) / 2) if a + b + c > 0 else 0.0

    track, changed = f1(tp - mm, fp + mm, fn + mm), f1(*counts)
    combined = 5 * changed * track / (4 * changed + track) if changed + track > 0 else 0.0
    return track, changed, combined


class TestScot:
    square = staticmethod(lambda x: box(x, 0, x + 10, 10))

    def test_perfect_stack(self) -> None:
        frames = [{"a": self.square(0)}, {"a": self.square(0), "b": self.square(20)}]
        result = scot(frames, frames)
        assert (result.track, result.change, result.score) == (1, 1, 1)

    def test_hand_worked(self) -> None:
        a, b = self.square(0), self.square(20)
        truth = [{"a": a}, {"a": a, "b": b}, {"a": a, "b": b}]
        # "b" is found one frame late, and "a" changes its identity in the last frame.
        proposal = [{"1": a}, {"1": a}, {"9": a, "2": b}]
        result = scot(truth, proposal)
        assert (result.matched, result.invented, result.missed) == (4, 0, 1)
        assert result.mismatches == 1
        assert result.track == pytest.approx(3 / (3 + (1 + 2) / 2))
        # "b" is new in frame 2 and missed there; "9" and "2" are new on the said side only.
        assert (result.change_matched, result.change_invented, result.change_missed) == (0, 2, 1)
        assert result.score == 0

    def test_demolitions_count_only_if_asked(self) -> None:
        a, b = self.square(0), self.square(20)
        truth = [{"a": a, "b": b}, {"a": a}]
        blind = [{"1": a, "2": b}, {"1": a, "2": b}]
        assert scot(truth, truth).change == 0  # nothing appeared: 0 by the reference
        assert scot(truth, truth, disappearances=True).change == 1
        assert scot(truth, blind, disappearances=True).change_missed == 1

    @pytest.mark.parametrize("gone", [False, True])
    def test_agrees_with_a_second_implementation(self, gone: bool) -> None:
        rng = np.random.default_rng(5)
        scores = []
        for _ in range(40):
            stacks = []
            for side in range(2):
                frames = []
                for _step in range(5):
                    there = rng.random(8) < 0.6
                    jitter = rng.uniform(0, 6, 8) * side
                    frames.append(
                        {
                            f"{side}{i}": self.square(12 * i + jitter[i])
                            for i in range(8)
                            if there[i]
                        }
                    )
                stacks.append(frames)
            result = scot(*stacks, disappearances=gone)
            expected = scot_by_definition(*stacks, gone)
            assert (result.track, result.change, result.score) == pytest.approx(expected)
            scores.append(result.score)
        assert 0.02 < float(np.mean(scores)) < 0.9

    def test_stacks_must_be_as_long(self) -> None:
        with pytest.raises(ValueError, match="frames"):
            scot([{}], [])
