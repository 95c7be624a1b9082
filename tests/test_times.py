"""Times as spans."""

from datetime import UTC, datetime, timedelta

import pytest

from groundbreak import times
from groundbreak.errors import CatalogError
from groundbreak.times import Precision


def at(*numbers):
    return datetime(*numbers, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "start", "end", "precision"),
    [
        ("2018", at(2018, 1, 1), at(2018, 12, 31, 23, 59, 59), "year"),
        ("2020-02", at(2020, 2, 1), at(2020, 2, 29, 23, 59, 59), "month"),
        ("2018-05-30", at(2018, 5, 30), at(2018, 5, 30, 23, 59, 59), "day"),
        (" 20180530 ", at(2018, 5, 30), at(2018, 5, 30, 23, 59, 59), "day"),
        ("2018/05/30", at(2018, 5, 30), at(2018, 5, 30, 23, 59, 59), "day"),
        ("2018:05:30 10:51:53", at(2018, 5, 30, 10, 51, 53), None, "instant"),
        ("20180530T105153", at(2018, 5, 30, 10, 51, 53), None, "instant"),
        ("2018-05-30T10:51:53.25Z", at(2018, 5, 30, 10, 51, 53, 250000), None, "instant"),
        ("2018-05-30T23:30-03:00", at(2018, 5, 31, 2, 30), None, "instant"),
        ("2018-05-30T01:00:00+09:00", at(2018, 5, 29, 16), None, "instant"),
        ("2019-12/2020-05", at(2019, 12, 1), at(2020, 5, 31, 23, 59, 59), "range"),
    ],
)
def test_parse_time(text, start, end, precision):
    span = times.parse_time(text)
    assert span == (start, end or start)
    assert times.precision(span) == precision


@pytest.mark.parametrize(
    "text",
    ["", "soon", "24/05/2011", "5/24/2011", "2016-02-30", "20160230", "2018-13", "2020/2019"],
)
def test_what_is_not_a_date(text):
    with pytest.raises(ValueError, match=r"not a date|ends before"):
        times.parse_time(text)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2018/2019", at(2018, 1, 1), at(2019, 12, 31, 23, 59, 59)),
        ("2018-05/..", at(2018, 5, 1), None),
        ("/2018-05-30", None, at(2018, 5, 30, 23, 59, 59)),
        ("2018", at(2018, 1, 1), at(2018, 12, 31, 23, 59, 59)),
    ],
)
def test_parse_range(text, start, end):
    assert times.parse_range(text) == (start, end)


@pytest.mark.parametrize("text", ["2020/2019", "yesterday/2019", "24/05/2011"])
def test_a_range_that_is_none_names_the_option(text):
    with pytest.raises(CatalogError, match="--dates"):
        times.parse_range(text, "--dates")


def test_widen_and_describe():
    moment = times.instant(at(2018, 5, 30, 10, 51, 53))
    described = {p: times.describe(times.widen(moment, p)) for p in Precision}
    assert described == {
        "instant": "2018-05-30 10:51 UTC",
        "day": "2018-05-30",
        "month": "May 2018",
        "year": "2018",
        "range": "2018-05-30 10:51 UTC",
    }
    ten_days = (moment[0], moment[0] + timedelta(days=10))
    assert times.describe(ten_days) == "2018-05-30 to 2018-06-09"


def test_naive_times_are_utc():
    assert times.instant(datetime(2018, 5, 30))[0] == at(2018, 5, 30)
