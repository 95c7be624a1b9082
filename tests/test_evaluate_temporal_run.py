"""A run folder against a truth file: both made here, far from each other on the globe."""

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from shapely.geometry import box, mapping

from groundbreak.errors import DataError
from groundbreak.evaluate.dates import SaidEvent, TrueEvent
from groundbreak.evaluate.run import evaluate_temporal
from groundbreak.evaluate.run_files import Run
from groundbreak.evaluate.run_temporal import frames, said_lives, scot_scores, true_lives
from groundbreak.evaluate.scot import scot
from groundbreak.types import Interval, Kind

METRE = 1 / 111_320  # degrees of latitude
SITES = {"harbour": (-30.0, 0.0), "mine": (150.0, 55.0)}


def day(number: float) -> datetime:
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=number)


def iso(number: float | None) -> str | None:
    return None if number is None else day(number).strftime("%Y-%m-%dT%H:%M:%SZ")


def feature(site: str, metres: float, **fields: Any) -> dict[str, Any]:
    lon, lat = SITES[site]
    west = lon + metres * METRE
    outline = box(west, lat, west + 20 * METRE, lat + 20 * METRE)
    return {
        "type": "Feature",
        "properties": {"site_id": site} | fields,
        "geometry": mapping(outline),
    }


def truth(site: str, name: str, kind: str | None, metres: float, **fields: Any) -> dict[str, Any]:
    return feature(site, metres, id=f"{site}-{name}", object_id=name, kind=kind, **fields)


def said(site: str, thing: str, kind: str, metres: float, *span: float | None, **more: Any) -> dict:
    defaults = {"confidence": 0.9, "date_confidence": 0.8, "provisional": False, "replaces": []}
    return feature(
        site,
        metres,
        id=f"{thing}-{kind}",
        kind=kind,
        start_datetime=iso(span[0]),
        end_datetime=iso(span[1]),
        **(defaults | more),
    )


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two sites with a look every 10 days; one building is under a cloud on day 40."""
    run, truth_file = tmp_path / "run", tmp_path / "truth.geojson"
    run.mkdir()
    truths = [
        truth(
            "harbour",
            "razed",
            "demolition",
            0,
            start_datetime=iso(12),
            end_datetime=iso(15),
            replaces=None,
        ),
        truth(
            "harbour",
            "rebuilt",
            "new_building",
            0,
            start_datetime=iso(18),
            end_datetime=iso(45),
            cleared_end_datetime=iso(36),
            replaces="harbour-razed",
        ),
        truth("harbour", "same", None, 500),
        truth("mine", "shed", "new_building", 0, start_datetime=iso(21), end_datetime=iso(25)),
        truth("mine", "late", "new_building", 200, start_datetime=iso(95), end_datetime=None),
    ]
    events = [
        said("harbour", "o1", "demolition", 0, 10, 20),
        said("harbour", "o2", "new_building", 2, 30, 50, replaces=["o1-demolition"]),
        said("mine", "o3", "new_building", 4, 30, 40),
        said("mine", "o4", "new_building", 900, 0, 10, confidence=0.5),
    ]
    for path, features in ((truth_file, truths), (run / "events.geojson", events)):
        path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    looks = [(site, f"{site}{d}", day(d)) for site in SITES for d in range(0, 101, 10)]
    observed = [
        {"site_id": site, "look_id": look, "start": when, "end": when, "used": True}
        for site, look, when in looks
    ]
    observed.append(
        {"site_id": "mine", "look_id": "lost", "start": day(23), "end": day(23), "used": False}
    )
    ledger = [
        {
            "site_id": site,
            "object_id": thing,
            "look_id": look,
            "usable_fraction": 0.1 if (thing, look) == ("o2", "harbour40") else 1.0,
        }
        for site, thing in (("harbour", "o1"), ("harbour", "o2"), ("mine", "o3"), ("mine", "o4"))
        for owner, look, _ in looks
        if owner == site
    ]
    pq.write_table(pa.Table.from_pylist(observed), run / "observed.parquet")
    pq.write_table(pa.Table.from_pylist(ledger), run / "ledger.parquet")
    return run, truth_file


class TestEvaluateTemporal:
    def test_figures(self, folders: tuple[Path, Path], tmp_path: Path) -> None:
        document = evaluate_temporal(*folders, tmp_path / "out")
        assert document["sites"] == 2
        assert document["looks"] == 22
        assert document["site_years"] == pytest.approx(200 / 365.25)
        assert document["true_events"] == 4
        assert document["observable_events"] == 3
        assert (document["found"], document["missed"], document["invented"]) == (3, 0, 1)
        assert document["coverage"] == pytest.approx(2 / 3)
        assert document["late"] == 1
        # The cloud of day 40 makes (30, 50] the shortest interval of the rebuilt house.
        assert document["width"]["as_short_as_possible"] == pytest.approx(2 / 3)
        assert document["width"]["median_ratio"] == 1
        assert document["chains"]["f1"] == 1
        assert document["by_kind"]["new_building"]["invented"] == 1
        assert json.loads((tmp_path / "out" / "temporal.json").read_text()) == document

    def test_footprints_are_compared_in_metres_everywhere(
        self, folders: tuple[Path, Path], tmp_path: Path
    ) -> None:
        # At 55° N 4 m of latitude are 2.3 m of longitude: still far above the least IoU.
        evaluate_temporal(*folders, tmp_path / "out")
        with (tmp_path / "out" / "matches.csv").open() as text:
            rows = {row["true_id"] or row["said_id"]: row for row in csv.DictReader(text)}
        assert rows["mine-shed"]["outcome"] == "found"
        assert rows["mine-shed"]["timing"] == "late"
        assert rows["mine-shed"]["shortest_start"] == iso(20)
        assert rows["mine-late"] | {"outcome": "missed", "done": ""} == rows["mine-late"]
        assert rows["o4-new_building"]["outcome"] == "invented"
        assert rows["harbour-rebuilt"]["begun"] == iso(36)
        assert (tmp_path / "out" / "confidence.png").is_file()

    def test_ids_of_true_and_of_told_events_are_not_mixed_up(
        self, folders: tuple[Path, Path], tmp_path: Path
    ) -> None:
        path = folders[0] / "events.geojson"
        document = json.loads(path.read_text())
        # The invented event is called as a true one that was found, and the other way round.
        document["features"][3]["properties"]["id"] = "mine-shed"
        document["features"][2]["properties"]["id"] = "mine-late"
        path.write_text(json.dumps(document))
        evaluate_temporal(*folders, tmp_path / "out")
        with (tmp_path / "out" / "matches.csv").open(newline="") as text:
            rows = [
                (row["true_id"], row["outcome"], row["said_id"]) for row in csv.DictReader(text)
            ]
        assert [row for row in rows if row[1] != "found"] == [
            ("mine-late", "missed", ""),
            ("", "invented", "mine-shed"),
        ]
        assert ("mine-shed", "found", "mine-late") in rows

    def test_ids_are_no_formulas(self, folders: tuple[Path, Path], tmp_path: Path) -> None:
        for path, sign in ((folders[1], "="), (folders[0] / "events.geojson", '";@')):
            document = json.loads(path.read_text())
            for place, each in enumerate(document["features"]):
                each["properties"] |= {"site_id": "-1+2", "id": f"{sign}{place}"}
            path.write_text(json.dumps(document))
        evaluate_temporal(*folders, tmp_path / "out")
        with (tmp_path / "out" / "matches.csv").open(newline="") as text:
            rows = list(csv.DictReader(text))
        assert {row["site_id"] for row in rows} == {"'-1+2"}
        assert {row["true_id"] for row in rows} - {""} == {f"'={n}" for n in (0, 1, 3, 4)}
        assert {row["said_id"] for row in rows} - {""} == {f"\";'@{n}" for n in range(4)}

    def test_scot_counts_the_demolition_only_if_asked(
        self, folders: tuple[Path, Path], tmp_path: Path
    ) -> None:
        found = evaluate_temporal(*folders, tmp_path / "out")["scot"]
        # The rebuilt house is right, the shed is seen one look late.
        assert found["reference"]["change"] == 0.5
        assert found["with_disappearances"]["change"] == 0.5
        path = folders[0] / "events.geojson"
        events = json.loads(path.read_text())
        del events["features"][0]  # the demolition is not said
        path.write_text(json.dumps(events))
        missed = evaluate_temporal(*folders, tmp_path / "out")["scot"]
        assert missed["reference"]["change"] == 0.5
        assert missed["with_disappearances"]["change"] == pytest.approx(1 / 3)

    @pytest.mark.parametrize("name", ["events.geojson", "observed.parquet", "ledger.parquet"])
    def test_unfinished_run(self, name: str, folders: tuple[Path, Path], tmp_path: Path) -> None:
        (folders[0] / name).unlink()
        with pytest.raises(DataError, match=name):
            evaluate_temporal(*folders, tmp_path / "out")

    def test_not_a_truth_file(self, folders: tuple[Path, Path], tmp_path: Path) -> None:
        features = [feature("mine", 0, id="x", kind="new_building")]
        folders[1].write_text(json.dumps({"features": features}))
        with pytest.raises(DataError, match="is not a truth file"):
            evaluate_temporal(*folders, tmp_path / "out")

    def test_run_without_events(self, folders: tuple[Path, Path], tmp_path: Path) -> None:
        (folders[0] / "events.geojson").write_text('{"type": "FeatureCollection", "features": []}')
        document = evaluate_temporal(*folders, tmp_path / "out")
        assert (document["found"], document["missed"]) == (0, 3)
        assert document["coverage"] is None
        assert document["scot"]["reference"]["score"] == 0


def test_lives_of_objects() -> None:
    spot = box(0, 0, 1, 1)

    def event(thing: str, kind: Kind, start: float | None, end: float | None) -> SaidEvent:
        span = Interval(*(None if d is None else day(d) for d in (start, end)))
        return SaidEvent(f"{thing}-{kind.value}", "s", kind, spot, span, 1, 1)

    events = [
        event("short", Kind.NEW_BUILDING, 0, 10),
        event("short", Kind.DEMOLITION, 20, 30),
        event("gone", Kind.DEMOLITION, 0, 10),
        event("begun", Kind.NEW_BUILDING, 20, None),
    ]
    moments = [day(d) for d in (0, 10, 20, 30)]
    there = [set(frame) for frame in frames(said_lives(events), moments)]
    assert there == [{"gone"}, {"short"}, {"short"}, set()]
    truths = [TrueEvent("t", "s", Kind.DEMOLITION, spot, day(5), day(15))]
    assert [set(frame) for frame in frames(true_lives(truths), moments)] == [
        {"t"},
        set(),
        set(),
        set(),
    ]


@pytest.mark.parametrize("length", [0.0, 0.99])
def test_looks_may_last_a_day(length: float) -> None:
    """An event ends with the end of the look that shows it; it is there in that look."""
    spot = box(0, 0, 1, 1)
    looks = tuple((day(d), day(d + length)) for d in (0, 10, 20, 30))
    truths = [TrueEvent("t", "s", Kind.NEW_BUILDING, spot, day(12), day(15))]
    span = Interval(looks[1][0], looks[2][1])
    event = SaidEvent("o-new_building", "s", Kind.NEW_BUILDING, spot, span, 1, 1)
    scores = scot_scores(truths, Run((event,), {"s": looks}, {}))
    assert scores["reference"] == {"score": 1.0, "track": 1.0, "change": 1.0}


def test_what_is_built_and_torn_down_has_one_life() -> None:
    spot, plot = box(0, 0, 10, 10), box(0, 0, 9, 10)
    truths = [
        TrueEvent("old", "s", Kind.DEMOLITION, spot, day(5), day(8)),
        TrueEvent("down", "s", Kind.DEMOLITION, plot, day(45), day(48)),
        TrueEvent("up", "s", Kind.NEW_BUILDING, spot, day(12), day(15)),
    ]
    moments = [day(d) for d in range(0, 60, 10)]
    true_frames = frames(true_lives(truths), moments)
    assert [set(frame) for frame in true_frames] == [{"old"}, set(), *[{"up"}] * 3, set()]
    spans = {"old": (0, 10), "up": (10, 20), "down": (40, 50)}
    events = [
        SaidEvent(
            f"{'old' if true.id == 'old' else 'house'}-{true.kind}",
            "s",
            true.kind,
            spot,
            Interval(*map(day, spans[true.id])),
            1,
            1,
        )
        for true in truths
    ]
    said_frames = frames(said_lives(events), moments)
    assert scot(true_frames, said_frames, disappearances=True).score == 1
