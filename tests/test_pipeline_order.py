"""Looks that overlap in time: no direction and no interval rests on a guess of their order."""

from datetime import UTC, datetime, timedelta
from itertools import combinations
from types import SimpleNamespace

import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from commands import events, observed
from groundbreak.config import DetectConfig
from groundbreak.pipeline.order import apart
from groundbreak.pipeline.run import RunRequest, run_detect
from groundbreak.times import parse_time
from series import picture, write_picture, write_series, write_sites


def look(when, usable_share=0.9, name=""):
    start, end = parse_time(when)
    return SimpleNamespace(id=name or when, start=start, end=end, usable_share=usable_share)


def chosen(*looks):
    return [each.id for each in apart(looks)]


def test_consecutive_years_months_and_days_are_all_kept():
    for dates in (
        ["2018", "2019", "2020"],
        ["2018-04", "2018-05", "2018-06"],
        ["2018-05-30", "2018-05-31", "2018-06-01"],
        ["2018", "2019-01-01", "2019-01-02T10:00Z", "2019-01-02T10:40Z"],
    ):
        assert chosen(*(look(date) for date in dates)) == dates


def test_a_year_gives_way_to_the_dates_in_it():
    assert chosen(look("2018"), look("2018-03-01"), look("2018-09-01"), look("2019")) == [
        "2018-03-01",
        "2018-09-01",
        "2019",
    ]


def test_of_two_the_better_one_is_kept():
    assert chosen(look("2018", 0.9), look("2018-03-01", 0.4)) == ["2018"]
    assert chosen(look("2018", 0.9), look("2018-03-01", 0.9)) == ["2018-03-01"]
    assert chosen(look("2018", 0.5, "a"), look("2018", 0.6, "b")) == ["b"]
    assert chosen(look("2018-03-01", 0.5, "a"), look("2018-03-01T10:00Z", 0.5, "b")) == ["b"]


def test_what_shows_nothing_is_kept_where_it_is_in_nobodys_way():
    assert chosen(look("2018", 0.0), look("2019", 0.0)) == ["2018", "2019"]


@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(0, 12), st.integers(1, 100)),
        max_size=8,
        unique=True,
    )
)
def test_no_other_choice_shows_more(spans):
    def day(number):
        return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=number)

    looks = [
        SimpleNamespace(id=str(n), start=day(a), end=day(a + length), usable_share=share / 100)
        for n, (a, length, share) in enumerate(spans)
    ]

    def disjoint(some):
        return all(a.end < b.start or b.end < a.start for a, b in combinations(some, 2))

    def shown(some):
        return round(sum(each.usable_share + 1e-3 for each in some), 6)

    kept = apart(looks)
    assert disjoint(kept)
    assert kept == sorted(kept, key=lambda each: each.start)
    subsets = (s for size in range(len(looks) + 1) for s in combinations(looks, size))
    assert shown(kept) == max(shown(some) for some in subsets if disjoint(some))


def test_a_picture_of_some_day_of_the_year_invents_nothing(tmp_path, engine):
    """Its middle lies after all the others; it may well be the earliest."""
    write_series(tmp_path / "scenes", [{}, {"house": True}, {"house": True}])
    tags = {"ACQUISITION_DATE": "2024", "DATE_PRECISION": "year", "SENSOR": "Another"}
    write_picture(tmp_path / "scenes" / "some_day.tif", picture(), **tags)
    sites = write_sites(tmp_path / "sites.geojson")
    job = RunRequest(sites, tmp_path / "scenes", tmp_path / "run", DetectConfig().settings())
    run_detect(job)
    [event] = events(job.run)
    assert event["kind"] == "new_building"
    [aside] = [row for row in observed(job.run) if not row["used"]]
    assert aside["scene_ids"] == ["some_day"]
    assert "its date (2024) overlaps that of another look (2024-01-10)" in aside["reason"]
    assert aside["reason"] in (job.run / "log.jsonl").read_text()
    ledger = pq.read_table(job.run / "ledger.parquet").to_pylist()
    assert "Another" not in {row["sensor"] for row in ledger}
    prepared = sorted((job.run / "work/s0/looks").glob("*/look.json"))
    times = [path.stat().st_mtime_ns for path in prepared]
    run_detect(job)
    assert [path.stat().st_mtime_ns for path in prepared] == times
