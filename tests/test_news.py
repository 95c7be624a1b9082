"""What is told of events that were not told before, were told otherwise, or are told no more."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from shapely.geometry import box

from groundbreak.errors import OutputError
from groundbreak.pipeline import news as room
from groundbreak.pipeline import results, run, tasks
from groundbreak.pipeline.news import NEWS, TOLD, State, Told, in_words, read_news
from groundbreak.pipeline.run import run_detect
from groundbreak.pipeline.unjudged import UNJUDGED, read_unjudged
from groundbreak.report.page import write_report
from groundbreak.types import Kind
from series import SIDE, write_series, write_sites
from test_pipeline import BUILT, EMPTY, request

FIRST, SECOND, THIRD = (f"2026-11-{day:02}T05:00:00+00:00" for day in (16, 23, 30))
A, B, C = ({name: (f"scene {name}",)} for name in "abc")
HOUSE = Told(
    "new_building", "2026-10-01", "2026-11-01", True, "A house was built.", ("scene a", "scene b")
)
SURE = replace(HOUSE, provisional=False)
NARROW = replace(SURE, start_datetime="2026-10-20", sentence="A house was built late.")
SHED = replace(HOUSE, kind="demolition", sentence="A shed was torn down.")


def names(news):
    return {name: [entry["id"] for entry in news[name]] for name in room.LISTS if news[name]}


def test_at_first_nothing_is_news():
    state = State(FIRST, A | B, {"house": HOUSE})
    assert state.news() == {"updated": FIRST, "since": None}
    assert in_words(state.news()) == ""


def test_an_update_brings_what_is_new_sure_dated_otherwise_or_gone():
    state = State(FIRST, A | B, {"house": HOUSE, "shed": SHED})
    state = state.followed_by(State(SECOND, A | B | C, {"house": NARROW, "barn": HOUSE}))
    news = state.news()
    assert (news["since"], news["updated"]) == (FIRST, SECOND)
    assert names(news) == {
        "new": ["barn"],
        "confirmed": ["house"],
        "redated": ["house"],
        "withdrawn": ["shed"],
    }
    assert news["missing"] == []
    assert news["redated"][0]["before"] == HOUSE.sentence
    assert news["withdrawn"][0]["sentence"] == SHED.sentence
    words = "1 new, 1 confirmed, 1 redated, 1 withdrawn since 16 November 2026"
    assert in_words(news) == words


def test_what_is_in_doubt_again_or_told_again_is_no_news_of_the_first_kind():
    """A scene is taken away, and comes back."""
    state = State(FIRST, A | B | C, {"house": SURE, "shed": SHED})
    state = state.followed_by(State(SECOND, A | B, {"house": HOUSE}))
    assert names(state.news()) == {"unconfirmed": ["house"], "withdrawn": ["shed"]}
    assert state.news()["missing"] == ["scene c"]
    assert in_words(state.news()).endswith(" since 16 November 2026, without 1 image compared then")
    state = state.followed_by(State(THIRD, A | B | C, {"house": SURE, "shed": SHED, "barn": SURE}))
    assert names(state.news()) == {"new": ["barn"], "returned": ["shed"], "confirmed": ["house"]}


def test_what_else_than_the_images_changed_is_told_with_the_news():
    basis = {"outline": "1", "gsd_m": "0.5", "weights": "w"}
    state = State(FIRST, A | B, {"house": HOUSE}, basis)
    other = basis | {"outline": "2", "weights": "v"}
    state = state.followed_by(State(SECOND, A | B, {}, other))
    assert state.news()["changed"] == ["outline", "weights"]
    told = "1 withdrawn since 16 November 2026, with another outline of the site and other weights"
    assert in_words(state.news()) == told
    # What brought nothing by itself counts at the next update.
    state = state.followed_by(State(SECOND, A | B, {}, basis))
    assert state.changed == ("outline", "weights")
    state = state.followed_by(State(THIRD, A | B | C, {"house": HOUSE}, basis))
    assert names(state.news()) == {"returned": ["house"]}
    assert state.changed == ("outline", "weights")
    # Another version has other settings.
    old, new = ({"version": n, "settings": n} for n in "12")
    state = State(FIRST, A, {}, old).followed_by(State(SECOND, B, {}, new))
    assert state.changed == ("version",)
    # A version that noted nothing of it knows of no change.
    state = State(FIRST, A | B, {}).followed_by(State(SECOND, A | B | C, {"house": HOUSE}, basis))
    assert state.changed == ()


def test_what_cannot_be_seen_any_more_is_not_withdrawn():
    state = State(FIRST, A | B, {"house": HOUSE}).followed_by(State(SECOND, A | C, {}))
    assert names(state.news()) == {"unchecked": ["house"]}


@pytest.mark.parametrize(
    ("lon", "west", "there"),
    [(0.5, 0, True), (2.0, 0, False), (-179.5, 180, True), (None, 0, True)],
    ids=["inside", "outside", "beyond the antimeridian", "not known"],
)
def test_what_lies_outside_of_a_site_drawn_anew_is_not_withdrawn(lon, west, there):
    gone = replace(HOUSE, lon=lon, lat=0.5)
    area = box(west, 0, west + 1, 1)
    state = State(FIRST, A | B, {"house": gone}).followed_by(State(SECOND, A | B, {}), area)
    assert names(state.news()) == {"withdrawn" if there else "unchecked": ["house"]}


SPANS = {
    "a": ("2026-09-20T00:00:00+00:00",) * 2,
    "b": ("2026-11-01T00:00:00+00:00",) * 2,
    "c": ("2026-11-20T00:00:00+00:00",) * 2,
}


def test_what_other_looks_would_show_is_withdrawn_without_its_own():
    timed = replace(
        HOUSE, start_datetime="2026-10-01T00:00:00Z", end_datetime="2026-11-01T00:00:00Z"
    )
    state = State(FIRST, A | B, {"house": timed})
    later = State(SECOND, A | C, {}, spans={k: SPANS[k] for k in "ac"})
    assert names(state.followed_by(later).news()) == {"withdrawn": ["house"]}
    # Its newest look is gone: nothing can be said, and once there is a newer one it is.
    sooner = State(SECOND, A, {"barn": SURE}, spans={"a": SPANS["a"]})
    state = state.followed_by(sooner)
    assert names(state.news()) == {"new": ["barn"], "unchecked": ["house"]}
    state = state.followed_by(State(SECOND, A, {}, spans={"a": SPANS["a"]}))
    assert names(state.news()) == {"unchecked": ["barn"]}  # of the house that was told
    state = state.followed_by(replace(later, events={"barn": SURE}))
    assert names(state.news()) == {"returned": ["barn"], "withdrawn": ["house"]}
    state = state.followed_by(State(THIRD, A | B | C, {"barn": SURE}))
    assert names(state.news()) == {}


def test_what_other_kinds_were_asked_for_is_not_withdrawn():
    state = State(FIRST, A | B, {"house": SURE, "shed": SHED})
    state = state.followed_by(State(SECOND, A | B, {}), kinds=[Kind.DEMOLITION])
    assert names(state.news()) == {"withdrawn": ["shed"], "unchecked": ["house"]}


def test_news_stay_until_something_else_is_compared_or_told():
    state = State(FIRST, A | B, {"house": HOUSE})
    told = {"house": HOUSE, "barn": SURE}
    state = state.followed_by(State(SECOND, A | B | C, told))
    assert state.followed_by(State(THIRD, A | B | C, told)) == state
    stricter = state.followed_by(State(THIRD, A | B | C, {"barn": SURE}))
    assert (stricter.since, names(stricter.news())) == (SECOND, {"withdrawn": ["house"]})
    first = State(FIRST, A | B, {}).followed_by(State(SECOND, A | B, {"barn": SURE}))
    assert names(first.news()) == {"new": ["barn"]}


def test_two_updates_of_one_day_are_told_apart_by_the_time():
    later = State(FIRST.replace("05:", "09:"), B, {"x": SURE})
    state = State(FIRST, A, {}).followed_by(later)
    assert in_words(state.news()) == (
        "1 new since 16 November 2026, 05:00 UTC, without 1 image compared then"
    )


def test_an_outline_drawn_otherwise_is_no_news():
    """Nor is a place that an earlier version did not note; from then on it is."""
    placed = replace(HOUSE, lon=127.1, lat=36.5, area_m2=500.0)
    state = State(FIRST, A | B, {"house": HOUSE})
    same = state.followed_by(State(SECOND, A | B, {"house": placed}))
    assert (same.updated, same.since) == (FIRST, None)
    news = same.followed_by(State(SECOND, A | B, {})).news()
    assert (news["withdrawn"][0]["lat"], news["withdrawn"][0]["lon"]) == (36.5, 127.1)


@pytest.mark.parametrize(("lon", "lat"), [(181.0, 0.0), (0.0, 90.1), (float("nan"), 0.0)])
def test_what_is_no_place_is_refused(lon, lat):
    with pytest.raises(ValueError, match=r"^(lon|lat) is "):
        replace(HOUSE, lon=lon, lat=lat)


def test_what_is_told_no_more_is_shown_where_it_was(tmp_path, engine, week):
    job = request(tmp_path, [EMPTY, EMPTY, BUILT])
    run_detect(job)
    [note] = job.run.glob(f"work/*/{TOLD}")
    state = json.loads(note.read_text())
    [(name, house)] = state["events"].items()
    assert (house["lon"], house["lat"]) == pytest.approx((129.0, 39.75), abs=0.01)
    assert house["area_m2"] > 0
    unplaced = {k: v for k, v in house.items() if k not in ("lon", "lat", "area_m2")}
    away = house | {"lon": 0.0}
    state["events"] |= {"shed": house, "barn": unplaced, "far": away}
    note.write_text(json.dumps(state))
    week()
    run_detect(job)
    page = write_report(job.run).read_text()
    where = f"{house['lat']:.5f}, {house['lon']:.5f}"
    assert f'<a href="#gone-shed">{where}</a>' in page
    assert f'<a id="gone-shed" href="#news-shed"><title>withdrawn: {house["sentence"]}' in page
    assert '<li id="news-barn">' in page
    # Told, though it is not on the map; outside of the site nothing is withdrawn.
    assert f"{house['sentence']} {house['lat']:.5f}, 0.00000" in page
    assert page.count('<a id="gone-') == page.count("pictures of the place") == 1
    [pictures] = re.findall(r"pictures of the place.*?</details>", page, re.DOTALL)
    assert pictures.count("<img ") == 2
    assert re.findall(r"<figcaption>(\w+): ", pictures) == ["before", "after"]
    assert "Dotted rings: told before, and no longer." in page
    assert name not in {entry["id"] for entry in read_news(job.run)["s0"]["withdrawn"]}


@pytest.fixture
def week(monkeypatch):
    """``week()`` lets a week pass."""
    monday = datetime(2026, 11, 2, 5, tzinfo=UTC)
    ticks = count()
    weeks = [0]

    def now():
        return (monday + timedelta(weeks=weeks[0], seconds=next(ticks))).isoformat()

    def passes():
        weeks[0] += 1

    monkeypatch.setattr(run, "_now", now)
    return passes


def test_a_run_tells_its_news(tmp_path, engine, week):
    job = request(tmp_path, [EMPTY, EMPTY, BUILT])
    run_detect(job)
    assert read_news(job.run)["s0"] == {
        "updated": "2026-11-02T05:00:00+00:00",
        "since": None,
        "fresh": True,
        "first": False,
        "id": "s0",
        "name": "Site 0",
    }
    assert "What is new" not in write_report(job.run).read_text()
    week()
    write_series(tmp_path / "scenes", [EMPTY, EMPTY, BUILT, {**BUILT, "barn": False}])
    run_detect(job)
    news = read_news(job.run)["s0"]
    assert names(news).keys() == {"new", "confirmed"}
    assert in_words(news) == "1 new, 1 confirmed since 2 November 2026"
    page = write_report(job.run).read_text()
    assert page.count('title="not told before the last update"') == 2
    assert news["new"][0]["sentence"] in page
    week()
    run_detect(job)
    assert read_news(job.run)["s0"] == news | {"fresh": False}
    page = write_report(job.run).read_text()
    assert "Nothing: no site has newer images." in page
    assert "What earlier runs brought (1 site)" in page


def test_news_that_nobody_was_told_are_fresh_still(tmp_path, engine, week, monkeypatch):
    """A run that is killed after it has noted what it tells."""
    job = request(tmp_path, [EMPTY, EMPTY, BUILT])
    run_detect(job)
    week()
    write_series(tmp_path / "scenes", [EMPTY, EMPTY, BUILT, {**BUILT, "barn": False}])
    with monkeypatch.context() as patch:
        patch.setattr(results, "write_stac", _killed)
        with pytest.raises(KeyboardInterrupt):
            run_detect(job)
    for fresh in (True, False):
        run_detect(job)
        news = read_news(job.run)["s0"]
        assert (len(news["new"]), news["fresh"]) == (1, fresh)


def _killed(*_):
    raise KeyboardInterrupt


def test_a_site_that_cannot_be_judged_now_withdraws_nothing(tmp_path, engine, week):
    job = request(tmp_path, [EMPTY, BUILT, BUILT])
    run_detect(job)
    week()
    [site] = run_detect(replace(job, dates=(datetime(2024, 3, 1, tzinfo=UTC), None))).sites
    assert site.result.events == ()
    assert read_news(job.run) == {}
    week()
    run_detect(job)
    assert read_news(job.run)["s0"]["since"] is None
    assert read_unjudged(job.run) == {}


def test_what_was_told_of_a_site_that_cannot_be_judged_now_is_said(tmp_path, command, engine, week):
    job = request(tmp_path, [EMPTY, BUILT])
    [told] = run_detect(job).sites[0].result.events
    newest = max((tmp_path / "scenes").iterdir())
    newest.unlink()
    detect = ("detect", "--sites", job.sites, "--catalog", job.catalog, "-o", job.run)
    words = (
        "1 event told on 2 November 2026 cannot be checked now, without 1 image compared "
        "then: nothing speaks against it, and it is kept until the site can be judged again"
    )
    for _ in range(2):  # as long as it is so
        week()
        assert words in command(*detect).out
        kept = read_unjudged(job.run)["s0"]
        assert kept["missing"] == [newest.stem]
        assert [event["id"] for event in kept["unchecked"]] == [told.id]
        page = (job.run / "report.html").read_text()
        assert page.count(words) == 1
        assert page.index("What is new") < page.index(words) < page.index('<section class="site"')
        assert page.count(told.sentence) == 2  # as a line and as a ring on the map
    [site] = command(*detect, "--json").json()["sites"]
    assert site["unjudged"] == kept


def test_of_a_site_that_fails_it_is_said_without_a_word_on_images(
    tmp_path, engine, week, monkeypatch
):
    job = request(tmp_path, [EMPTY, BUILT])
    write_sites(job.sites, (0, -SIDE, SIDE, 0), (0, -80, 80, 0))
    [event] = run_detect(job).sites[0].result.events
    original = tasks.detect_site

    def fragile(task, tell):
        if task.plan.site.id == "s0":
            raise ZeroDivisionError
        return original(task, tell)

    monkeypatch.setattr(tasks, "detect_site", fragile)
    run_detect(job)
    kept = read_unjudged(job.run)
    assert kept.keys() == {"s0"}
    assert [told["id"] for told in kept["s0"]["unchecked"]] == [event.id]
    assert kept["s0"]["missing"] == []


@pytest.mark.parametrize("left", [1, 2], ids=["nothing to compare", "others compared"])
def test_what_comes_back_under_another_name_is_not_new(tmp_path, engine, week, left):
    """Its image is gone for a week; how many are there besides makes no difference."""
    job = request(tmp_path, [*[EMPTY] * left, BUILT])
    [told] = run_detect(job).sites[0].result.events
    newest = max((tmp_path / "scenes").iterdir())
    newest.rename(tmp_path / "away.tif")
    for _ in range(2):
        week()
        assert run_detect(job).sites[0].result.events == ()
    week()
    (tmp_path / "away.tif").rename(newest.with_stem(f"{newest.stem}_again"))
    [event] = run_detect(job).sites[0].result.events
    assert (event.id, event.interval) == (told.id, told.interval)
    news = read_news(job.run)["s0"]
    assert names(news) == ({} if left == 1 else {"returned": [told.id]})


@pytest.mark.parametrize(
    "damage",
    [
        {"looks": 3},
        {"since": "soon"},
        {"updated": None},
        {"updated": "2026-11-02T05:00:00"},
        {"events": {"x": dict(vars(HOUSE), area_m2=-1)}},
        {"events": {"x": {"kind": "demolition"}}},
        {"before": {"x": dict(vars(HOUSE), sentence=None)}},
        {"before": {"x": dict(vars(HOUSE), lat=91.0)}},
    ],
)
def test_a_damaged_note_is_as_good_as_none(tmp_path, engine, damage):
    job = request(tmp_path, [EMPTY, BUILT])
    run_detect(job)
    [note] = job.run.glob(f"work/*/{TOLD}")
    whole = json.loads(note.read_text())
    note.write_text(json.dumps(whole | damage))
    run_detect(job)
    assert read_news(job.run)["s0"]["since"] is None
    assert json.loads(note.read_text()).keys() == whole.keys()
    write_report(job.run)


def test_damaged_news_are_named(tmp_path, engine):
    job = request(tmp_path, [EMPTY, BUILT])
    run_detect(job)
    lists = dict.fromkeys(room.LISTS, ()) | {"since": FIRST, "updated": SECOND}
    nowhere = {"id": "x", **vars(HOUSE), "lon": "east"}
    kept = {"told": FIRST, "missing": [], "unchecked": []}
    damaged = [
        {"sites": [{"id": "s0", "updated": ""}]},
        {"sites": [{"id": "s0", **lists, "withdrawn": [nowhere]}]},
        {UNJUDGED: [{"id": "s0", **kept, "told": "soon"}]},
        {UNJUDGED: [{"id": "s0", **kept, "unchecked": [nowhere]}]},
    ]
    for damage in damaged:
        document = {"finished_before": None, "sites": [], **damage}
        (job.run / NEWS).write_text(json.dumps(document))
        with pytest.raises(OutputError, match=r"news\.json: is damaged"):
            write_report(job.run)
    (job.run / NEWS).unlink()
    assert "What is new" not in write_report(job.run).read_text()


def test_a_site_that_is_compared_for_the_first_time_by_a_later_run_says_so(tmp_path, engine, week):
    job = request(tmp_path, [EMPTY])
    run_detect(job)
    assert read_news(job.run) == {}
    week()
    write_series(tmp_path / "scenes", [EMPTY, BUILT])
    run_detect(job)
    news = read_news(job.run)["s0"]
    assert in_words(news) == "compared for the first time: all of it is new"
    assert in_words(news, events=False) == "compared for the first time"
    week()
    run_detect(job)
    assert in_words(read_news(job.run)["s0"]) == ""
