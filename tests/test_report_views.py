"""What the page says of a site, without its pictures."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations, pairwise
from types import SimpleNamespace

import pytest

from groundbreak.events.looks import LookMeta
from groundbreak.events.summary import Coverage, Period, summarise
from groundbreak.pipeline.news import LISTS
from groundbreak.report import card, page
from groundbreak.report.timeline import (
    LANE,
    MOST_LANES,
    NARROWEST,
    _reach,
    dates_below,
    day,
    period,
    timeline,
)
from groundbreak.times import parse_time

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


def look(days, share=1.0, used=True, shift=None):
    return {
        "look_id": f"look-{days}",
        "start": NOON + timedelta(days=days),
        "end": NOON + timedelta(days=days),
        "scene_ids": [f"scene-{days}"],
        "usable_share": share,
        "used": used,
        "reason": "" if used else "clouds",
        "sensor": None,
        "shift_x": shift and shift[0],
        "shift_y": shift and shift[1],
    }


def event(number, confidence=0.9):
    properties = dict.fromkeys(
        ("length_m", "vessel_length_m", "registration_residual_px", "start_datetime")
    )
    properties |= {
        "kind": "demolition",
        "provisional": False,
        "sentence": f"Event {number}.",
        "confidence": confidence,
        "date_confidence": 1.0,
        "area_m2": 120.0,
        "usable_fraction": 1.0,
        "end_datetime": NOON.isoformat(),
        "before_scenes": [],
        "after_scenes": ["scene-0"],
        "flags": [],
    }
    return {"id": f"o{number}-demolition", "properties": properties}


SITE = page._Site(
    document={
        "id": "port",
        "name": "Port",
        "remark": "",
        "looks": 2,
        "sentences": [],
        "notes": [],
        "not_observed": {"periods": [], "never_share": 0.0, "once_share": 0.0},
    },
    events=[],
    observed=[look(0), look(30)],
    ledger={},
    work=None,
)


def test_looks_lie_along_the_line_by_their_dates():
    rows = timeline([look(0, shift=(1.25, -0.5)), look(10, 0.5), look(40, used=False)])
    assert [row["x"] for row in rows] == [2.0, 26.0, 98.0]
    assert [row["r"] for row in rows] == [5.0, 3.5, 5.0]
    assert [row["shift"] for row in rows] == ["1.2, -0.5", "", ""]
    assert [row["reason"] for row in rows] == ["yes", "yes", "clouds"]
    assert period([look(0), look(40)]) == "1 Mar 2024 to 10 Apr 2024"
    assert timeline([]) == dates_below([]) == []


@pytest.mark.parametrize("step", [1, 5, 30, 400])
@pytest.mark.parametrize("number", [2, 10, 60, 200])
def test_no_look_lies_on_another_and_no_date_on_another(number, step):
    """On the narrowest phone, up to as many as have room above each other."""
    rows = [look(n * step, share=(n % 3) / 2) for n in range(number)]
    # Three on one day.
    rows = sorted([*rows, look(0), look(step)], key=lambda row: row["start"])
    dots = timeline(rows)
    assert max(dot["lane"] for dot in dots) < MOST_LANES
    for one, other in combinations(dots if number < 200 else (), 2):
        apart = abs(one["x"] - other["x"]) / 100 * NARROWEST
        beside = apart >= one["r"] + other["r"] - 0.1
        assert beside or one["lane"] != other["lane"]
    assert max(2 * dot["r"] for dot in dots) < LANE
    dates = dates_below(rows)
    assert (dates[0]["text"], dates[-1]["text"]) == (dots[0]["date"], dots[-1]["date"])
    reach = sorted(_reach(date) for date in dates)
    assert all(one[1] < other[0] for one, other in pairwise(reach))
    assert reach[0][0] >= 0
    assert reach[-1][1] <= NARROWEST


def test_dates_below_the_line_are_round_ones_between_the_first_and_the_last():
    def texts(*days):
        return [date["text"] for date in dates_below([look(n) for n in days])]

    assert texts(0, 30) == ["1 Mar 2024", "31 Mar 2024"]
    assert texts(0, 250) == ["1 Mar 2024", "Jul 2024", "6 Nov 2024"]
    assert texts(0, 3000) == ["1 Mar 2024", "2027", "2028", "2029", "18 May 2032"]
    assert texts(0, 0) == ["1 Mar 2024"]
    year = look(0) | dict(zip(("start", "end"), parse_time("2018"), strict=True))
    assert dates_below([year, look(0)])[0]["text"] == "2018"


def test_dates_are_no_more_exact_than_they_are_known():
    spans = [parse_time(text) for text in ("2018", "2020-05")]
    rows = [look(0) | {"start": start, "end": end} for start, end in spans]
    assert [row["date"] for row in timeline(rows)] == ["2018", "May 2020"]
    assert period(rows) == "2018 to May 2020"
    assert day(*parse_time("2019-12/2020-05")) == "1 Dec 2019 to 31 May 2020"
    rows[1]["scene_ids"] = ["after"]
    about = event(1)["properties"] | {"before_scenes": ["scene-0"], "after_scenes": ["after"]}
    about |= {"start_datetime": rows[0]["start"].isoformat()}
    (view,) = page._site_view(
        replace(SITE, events=[{"id": "e", "properties": about}], observed=rows)
    )["events"]
    assert view["title"] == "Demolition, between 2018 and May 2020"


def test_sentences_link_only_to_events_that_the_page_shows(monkeypatch):
    monkeypatch.setattr(page, "MOST_EVENTS", 2)
    ids = [f"o{n}-demolition" for n in range(3)]
    document = SITE.document | {"sentences": [{"text": "Three went.", "events": ids}]}
    site = replace(SITE, document=document, events=[event(n) for n in range(3)])
    view = page._site_view(site)
    shown = {shown["anchor"] for shown in view["events"]}
    links = {link["anchor"] for link in view["sentences"][0]["links"]}
    assert links == shown == {"event-o0-demolition", "event-o1-demolition"}
    assert view["sentences"][0]["more"] == "… and 1 more: 3"
    assert view["more"] == "Without a picture here: 1 less certain, 3; all are in events.csv."
    sentence = {"text": "One went.", "events": ids[2:]}
    document = SITE.document | {"sentences": [sentence]}
    (told,) = page._site_view(replace(site, document=document))["sentences"]
    assert (told["links"], told["more"]) == ([], "3")


def test_an_event_has_one_number_on_its_card_and_in_every_sentence():
    sentences = [
        {"text": "Two went.", "events": ["o2-demolition", "o0-demolition"]},
        {"text": "One more went.", "events": ["o1-demolition"]},
    ]
    events = [event(n, 0.99 - n / 100) for n in range(3)]
    site = replace(SITE, document=SITE.document | {"sentences": sentences}, events=events)
    view = page._site_view(site)
    cards = {shown["anchor"]: f"[{shown['number']}]" for shown in view["events"]}
    assert list(cards.values()) == ["[1]", "[2]", "[3]"]
    links = [[(link["anchor"], link["label"]) for link in s["links"]] for s in view["sentences"]]
    assert [[label for _, label in row] for row in links] == [["[1]", "[3]"], ["[2]"]]
    assert all(cards[anchor] == label for row in links for anchor, label in row)


def test_a_site_without_sentences_says_why():
    gap = {"periods": [], "never_share": None, "once_share": None}
    document = SITE.document | {"remark": "not observed: no scene covers it", "not_observed": gap}
    view = page._site_view(replace(SITE, document=document, observed=[]))
    assert view["remark"] == "not observed: no scene covers it"
    assert view["not_observed"] == []
    assert set(view["counts"].values()) == {"–"}
    assert set(page._site_view(SITE)["counts"].values()) == {"0"}


def test_a_strip_of_some_looks_is_not_called_all():
    assert card._strip_title(SimpleNamespace(looks=[None] * 24)) == "all looks"
    assert card._strip_title(SimpleNamespace(looks=[None] * 97)) == "one look in 5"


def test_of_many_dates_and_events_only_some_are_listed():
    rows = [look(n, 0.5 if n == 3 else 0.9) for n in range(20)] + [look(30, used=False)]
    view = page._site_view(replace(SITE, observed=rows))
    assert view["not_observed"] == [
        "Parts were not seen in 20 looks, the most on 4 Mar 2024 (50 %) (all below).",
        "Not used at all: 31 Mar 2024 (reasons below).",
    ]
    rows = [look(n, used=False) for n in range(9)]
    view = page._site_view(replace(SITE, observed=rows))
    assert view["not_observed"] == ["Not used at all: 9 looks (dates and reasons below)."]
    ids = [f"o{n}-demolition" for n in range(30)]
    document = SITE.document | {"sentences": [{"text": "All went.", "events": ids}]}
    site = replace(SITE, document=document, events=[event(n) for n in range(30)])
    (sentence,) = page._site_view(site)["sentences"]
    assert len(sentence["links"]) == page.MOST_LINKS
    assert sentence["more"] == "… and 18 more: 13–30"
    document["sentences"][0]["events"] = [f"o{n}-demolition" for n in range(0, 999, 2)]
    site = replace(SITE, document=document, events=[event(n, 1 - n / 999) for n in range(999)])
    (sentence,) = page._site_view(site)["sentences"]
    assert sentence["more"].startswith("… and 488 more: 25, 27, 29, ")
    assert sentence["more"].endswith(", …")
    assert len(sentence["more"]) < page.MOST_LETTERS + 30


def test_what_was_not_compared_is_told_once():
    sentences = [
        {"text": "No change was found.", "events": []},
        {"text": "Not compared: 1.6 % of the site, which one image only shows.", "events": []},
    ]
    known = {"periods": [], "never_share": 0.0, "once_share": 0.0164}
    document = SITE.document | {"sentences": sentences, "not_observed": known}
    view = page._site_view(replace(SITE, document=document))
    assert [sentence["text"] for sentence in view["sentences"]] == ["No change was found."]
    assert view["not_observed"] == [
        "1.6 % of the site was usable in one look only: nothing to compare it with."
    ]


def test_a_long_time_between_two_looks_does_not_contradict_what_is_dated_to_it():
    """The same words as in the summary, and once: below what was not observed."""
    days = [0, 10, 20, 320, 330]
    meta = [LookMeta(f"L{n}", *(NOON + timedelta(days=n),) * 2, (f"S{n}",)) for n in days]
    asked = Period(NOON, NOON + timedelta(days=600))
    summary = summarise("Port", [], meta, Coverage(), asked).document()
    site = replace(SITE, document=SITE.document | summary, observed=[look(n) for n in days])
    view = page._site_view(site)
    assert [sentence["text"][:9] for sentence in view["sentences"]] == ["No change"]
    inner, outer = view["not_observed"]
    assert [s["text"] for s in summary["sentences"][1:]] == [inner, outer]
    assert inner.startswith("No usable image shows the site between 21 March 2024 and 15 January")
    assert outer.startswith("Not observed: between 25 January and 22 October 2025, after the last")
    nothing = page._site_view(replace(site, observed=[look(n, used=False) for n in days]))
    assert nothing["not_observed"][-1].startswith("Not observed: between 21 March 2024 and")


def test_numbers_say_no_more_than_is_so():
    cards = page._site_view(replace(SITE, events=[event(1, 0.9496), event(2, 0.95)]))["events"]
    assert [each["confidence"] for each in cards] == ["0.95", "0.95"]
    (shown,) = page._site_view(replace(SITE, events=[event(1, 0.949)]))["events"]
    assert shown["confidence"] == "0.94"
    (row,) = timeline([look(0, shift=(-0.01, 0.0))])
    assert row["shift"] == "0.0, 0.0"
    assert page._site_view(SITE)["nothing_hidden"] == "The whole site was seen on every date used."
    almost = replace(SITE, observed=[look(0), look(30, 0.99)])
    assert page._site_view(almost)["nothing_hidden"].startswith("Hardly a part of the site")


def test_what_it_means_that_a_shift_is_not_known_is_said():
    """A shift of 0.0 that was never measured is not shown as one."""
    reason = "too little stable structure to compare"
    odd = look(30, shift=(0.0, 0.0)) | {"aligned": False, "alignment_note": reason}
    rows = [look(0, shift=(0.0, 0.0)) | {"aligned": True, "alignment_note": ""}, odd]
    assert [row["shift"] for row in timeline(rows)] == ["0.0, 0.0", f"not known: {reason}"]
    site = replace(SITE, document=SITE.document | {"notes": ["Of the site."]}, events=[event(1)])
    first, means, do = page._site_view(replace(site, observed=rows))["notes"]
    assert first == "Of the site."
    assert means.startswith("It could not be checked whether the image of 31 Mar 2024 lies exactly")
    assert do.startswith("What to do: look at roads and roofs")
    many = [odd | {"start": NOON + timedelta(days=n)} for n in range(9)]
    (means,) = page._site_view(replace(SITE, observed=[*rows[:1], *many]))["notes"]
    assert means.startswith("It could not be checked whether the images of 9 looks (in the table")
    old = {key: value for key, value in odd.items() if key != "alignment_note"}
    assert timeline([old])[0]["shift"] == "not known"
    assert page._site_view(replace(SITE, observed=[odd | {"used": False}]))["notes"] == []


def test_how_well_images_lie_over_each_other_is_said_only_where_it_is_known():
    about = event(1)["properties"] | {"registration_residual_px": 0.21}
    assert card._facts(about).startswith("images lie over each other to 0.21 px")
    assert card._facts(about | {"flags": ["misregistered"]}) == "100 % of the footprint seen"


def test_of_many_sites_those_with_news_and_events_have_pictures(monkeypatch):
    monkeypatch.setattr(page, "MOST_PICTURED", 3)
    fresh = {"since": "2024-03-01T00:00:00Z", "updated": "2024-03-08T00:00:00Z", "fresh": True}
    fresh |= {name: [] for name in LISTS} | {"new": [{"id": "a", "sentence": "A."}]}
    sites = [replace(SITE, document=SITE.document | {"id": name}) for name in "abcde"]
    sites[2] = replace(sites[2], events=[event(1)])
    sites[4] = replace(sites[4], news=fresh)
    pictured = page._pictured(sites)
    assert pictured == {"a", "c", "e"}
    texts = [page._whole_view(site, 5, pictured)["no_map"] for site in sites]
    assert [text == page.UNPICTURED for text in texts] == [False, True, False, True, False]
