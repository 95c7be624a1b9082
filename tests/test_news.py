"""What is told of events that were not told before, were told otherwise, or are told no more."""

import json
from dataclasses import replace

import pytest

from groundbreak.errors import OutputError
from groundbreak.pipeline import news as room
from groundbreak.pipeline.news import NEWS, TOLD, State, Told, in_words, read_news
from groundbreak.pipeline.run import run_detect
from groundbreak.report.page import write_report
from series import write_series
from test_pipeline import BUILT, EMPTY, request

FIRST, SECOND, THIRD = (f"2026-11-{day:02}T05:00:00+00:00" for day in (16, 23, 30))
HOUSE = Told("new_building", "2026-10-01", "2026-11-01", True, "A house was built.")
SURE = replace(HOUSE, provisional=False)
NARROW = replace(SURE, start_datetime="2026-10-20", sentence="A house was built late.")
SHED = Told("demolition", "2026-10-01", "2026-11-01", True, "A shed was torn down.")


def names(news):
    return {name: [entry["id"] for entry in news[name]] for name in room.LISTS if news[name]}


def test_at_first_nothing_is_news():
    state = State(FIRST, ("a", "b"), {"house": HOUSE})
    assert state.news() == {"updated": FIRST, "since": None}
    assert in_words(state.news()) == ""


def test_an_update_brings_what_is_new_sure_dated_otherwise_or_gone():
    state = State(FIRST, ("a", "b"), {"house": HOUSE, "shed": SHED})
    state = state.followed_by(("a", "b", "c"), {"house": NARROW, "barn": HOUSE}, SECOND)
    news = state.news()
    assert (news["since"], news["updated"]) == (FIRST, SECOND)
    assert names(news) == {
        "new": ["barn"],
        "confirmed": ["house"],
        "redated": ["house"],
        "withdrawn": ["shed"],
    }
    assert news["redated"][0]["before"] == HOUSE.sentence
    assert news["withdrawn"][0]["sentence"] == SHED.sentence
    words = "1 new, 1 confirmed, 1 redated, 1 withdrawn since 16 November 2026"
    assert in_words(news) == words


def test_news_stay_until_other_looks_are_compared():
    state = State(FIRST, ("a", "b"), {"house": HOUSE})
    state = state.followed_by(("a", "b", "c"), {"house": HOUSE, "barn": SURE}, SECOND)
    again = state.followed_by(("a", "b", "c"), {"house": HOUSE, "barn": SURE}, THIRD)
    assert again == state
    stricter = state.followed_by(("a", "b", "c"), {"barn": SURE}, THIRD)
    assert names(stricter.news()) == {"new": ["barn"], "withdrawn": ["house"]}
    later = again.followed_by(("b", "c"), {"house": SURE, "barn": SURE}, THIRD)
    assert names(later.news()) == {"confirmed": ["house"]}
    assert later.since == SECOND


def test_two_updates_of_one_day_are_told_apart_by_the_time():
    state = State(FIRST, ("a",), {}).followed_by(("b",), {"x": SURE}, FIRST.replace("05:", "09:"))
    assert in_words(state.news()) == "1 new since 16 November 2026, 05:00 UTC"


def test_a_run_tells_its_news(tmp_path, engine):
    job = request(tmp_path, [EMPTY, EMPTY, BUILT])
    run_detect(job)
    assert read_news(job.run)["s0"] == {
        "updated": json.loads((job.run / "run.json").read_text())["started"],
        "since": None,
        "fresh": True,
        "id": "s0",
        "name": "Site 0",
    }
    assert "What is new" not in write_report(job.run).read_text()
    write_series(tmp_path / "scenes", [EMPTY, EMPTY, BUILT, {**BUILT, "barn": False}])
    run_detect(job)
    news = read_news(job.run)["s0"]
    assert {name: len(news[name]) for name in room.LISTS} == {
        "new": 1,
        "confirmed": 1,
        "redated": 0,
        "withdrawn": 0,
    }
    page = write_report(job.run).read_text()
    assert page.count('title="not told before the last update"') == 2
    assert news["new"][0]["sentence"] in page
    run_detect(job)
    again = read_news(job.run)["s0"]
    assert again | {"fresh": True} == news


def test_a_damaged_note_is_as_good_as_none_and_damaged_news_are_named(tmp_path, engine):
    job = request(tmp_path, [EMPTY, BUILT])
    run_detect(job)
    [note] = job.run.glob(f"work/*/{TOLD}")
    note.write_text('{"looks": 3}')
    run_detect(job)
    assert read_news(job.run)["s0"]["since"] is None
    (job.run / NEWS).write_text('{"run": "", "sites": [{"id": "s0", "updated": "soon"}]}')
    with pytest.raises(OutputError, match=r"news\.json: is damaged"):
        write_report(job.run)
    (job.run / NEWS).unlink()
    assert "What is new" not in write_report(job.run).read_text()
