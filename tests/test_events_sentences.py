"""What is said of events and sites: every case as a reader sees it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from shapely.geometry import box

from groundbreak.events.looks import LookMeta
from groundbreak.events.phrases import count, hedge, listed, share
from groundbreak.events.sentences import event_sentence
from groundbreak.events.summary import Coverage, Period, summarise
from groundbreak.times import Span, day, instant, month, year
from groundbreak.types import Event, Interval, Kind

NEW, TORN, SLIP = Kind.NEW_BUILDING, Kind.DEMOLITION, Kind.DOCKING_SLIP
ALL = Coverage()


def at(*date: int) -> Span:
    return instant(datetime(*date, tzinfo=UTC))  # type: ignore[misc, arg-type]


def look(number: int, span: Span) -> LookMeta:
    return LookMeta(f"L{number}", *span, (f"S{number}",))


def series(*spans: Span) -> list[LookMeta]:
    return [look(number, span) for number, span in enumerate(spans)]


LOOKS = series(at(2024, 1, 3), at(2024, 3, 14), at(2024, 5, 1), at(2024, 7, 9), at(2025, 2, 1))


def event(
    kind: Kind, before: int | None, after: int | None, looks: list[LookMeta] = LOOKS, **more: Any
) -> Event:
    first = looks[before] if before is not None else None
    last = looks[after] if after is not None else None
    base = Event(
        id="e",
        site_id="port",
        site_name="Port One",
        kind=kind,
        interval=Interval(first.start if first else None, last.end if last else None),
        geometry=box(0, 0, 30, 15),
        crs="EPSG:32652",
        confidence=0.97,
        date_confidence=0.95,
        area_m2=450.0,
        before_scenes=first.scene_ids if first else (),
        after_scenes=last.scene_ids if last else (),
        usable_fraction=1.0,
    )
    return replace(base, **more)


BERTH = {"length_m": 123.4, "width_m": 25.2, "orientation_deg": 30.0, "vessel_length_m": 111.0}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            event(NEW, 0, 1),
            "A building of about 450 m² was built between 3 January and 14 March 2024.",
        ),
        (
            event(NEW, 3, 4, confidence=0.85, area_m2=1234.0),
            "A building of about 1,200 m² was very likely built between 9 July 2024 and "
            "1 February 2025.",
        ),
        (
            event(TORN, 1, 2, confidence=0.6, area_m2=9.4),
            "A building of about 9 m² was probably torn down between 14 March and 1 May 2024.",
        ),
        (
            event(NEW, 3, 4, confidence=0.51, provisional=True),
            "A building of about 450 m² was possibly built between 9 July 2024 and "
            "1 February 2025. The change shows only in the newest image.",
        ),
        (
            event(TORN, 2, 3, provisional=True),
            "A building of about 450 m² was torn down between 1 May and 9 July 2024. "
            "The change shows only in the last image of the place.",
        ),
        (
            event(TORN, 3, 4, provisional=True, flags=("single_pair",)),
            "A building of about 450 m² was torn down between 9 July 2024 and 1 February 2025. "
            "Only two images show the place: nothing confirms it.",
        ),
        (
            event(NEW, 3, None, confidence=0.7),
            "A building of about 450 m² was probably begun after 9 July 2024 and not finished on "
            "1 February 2025.",
        ),
        (
            event(NEW, None, 1),
            "A building of about 450 m² was built before 14 March 2024; no earlier usable image "
            "shows the plot.",
        ),
        (
            event(SLIP, 1, 2, **BERTH, flags=("low_resolution", "tide")),
            "A docking slip about 120 m long and 25 m wide was opened between 14 March and "
            "1 May 2024. A vessel of up to about 110 m fits it. Beware: its outline is ragged, "
            "so it may be the tide; it is only a few pixels wide.",
        ),
        (
            event(NEW, 2, 3, replaces=("a",), flags=("no_cloud_mask",)),
            "A building of about 450 m² was built between 1 May and 9 July 2024. It stands on the "
            "plot of one that was torn down.",
        ),
        (
            event(NEW, 2, 3, replaces=("a", "b", "c")),
            "A building of about 450 m² was built between 1 May and 9 July 2024. It stands on the "
            "plot of three buildings that were torn down.",
        ),
        (
            event(TORN, 0, 1, replaced_by=("a", "b")),
            "A building of about 450 m² was torn down between 3 January and 14 March 2024. "
            "Two new buildings followed on the plot.",
        ),
    ],
)
def test_an_event_in_words(said: Event, expected: str) -> None:
    assert event_sentence(said, LOOKS) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (year(2017), year(2018), "between 2017 and 2018"),
        (year(2018), month(2019, 5), "between 2018 and May 2019"),
        (month(2019, 5), day(2020, 2, 3), "between May 2019 and 3 February 2020"),
        (at(2020, 3, 1), year(2020), "between 1 March 2020 and the end of 2020"),
        (year(2020), at(2020, 9, 1), "between the beginning of 2020 and 1 September 2020"),
        (year(2020), year(2020), "in 2020"),
        (at(2020, 3, 1, 2), at(2020, 3, 1, 9), "on 1 March 2020 between 02:00 and 09:00 UTC"),
        (at(2023, 12, 30), at(2024, 1, 2), "between 30 December 2023 and 2 January 2024"),
        (
            at(2024, 2, 16),
            (at(2024, 4, 2, 23)[0], at(2024, 4, 3, 1)[1]),
            "between 16 February and 3 April 2024",
        ),
    ],
)
def test_dates_are_said_as_exactly_as_they_are_known(
    before: Span, after: Span, expected: str
) -> None:
    looks = series(before, after)
    said = event_sentence(event(NEW, 0, 1, looks), looks)
    assert said == f"A building of about 450 m² was built {expected}."


def plot(torn: int, built: int, name: str = "", **more: Any) -> list[Event]:
    old = tuple(f"t{n}{name}" for n in range(torn))
    new = tuple(f"n{n}{name}" for n in range(built))
    events = [event(TORN, 0, 1, id=i, replaced_by=new) for i in old]
    return events + [event(NEW, 2, 3, id=i, replaces=old, **more) for i in new]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (
            plot(3, 2),
            "Three buildings were torn down between 3 January and 14 March 2024; two new ones "
            "stood on the plot by 9 July 2024.",
        ),
        (
            plot(1, 1, confidence=0.6),
            "One building was torn down between 3 January and 14 March 2024; one new one "
            "probably stood on the plot by 9 July 2024.",
        ),
        (
            plot(1, 1) + plot(1, 1, "x"),
            "Two buildings were torn down between 3 January and 14 March 2024; two new ones stood "
            "on the plots by 9 July 2024.",
        ),
        (
            plot(1, 1, provisional=True),
            "One building was torn down between 3 January and 14 March 2024; one new one stood "
            "on the plot by 9 July 2024 (the change shows only in the last image of the place).",
        ),
        (
            plot(1, 1, flags=("misregistered", "assumed_date")),
            "One building was torn down between 3 January and 14 March 2024; one new one stood "
            "on the plot by 9 July 2024 (one date is assumed; the images may be shifted against "
            "each other).",
        ),
        (
            plot(2, 1, interval=Interval(LOOKS[3].start, None), after_scenes=()),
            "Two buildings were torn down between 3 January and 14 March 2024; one new one was "
            "under way on the plot in the newest image.",
        ),
    ],
)
def test_a_chain_in_words(events: list[Event], expected: str) -> None:
    summary = summarise("Port One", events, LOOKS, ALL)
    told = summary.clauses[1]
    assert told.text == expected
    assert set(told.event_ids) == {e.id for e in events}
    assert len(summary.clauses) == 2


def test_a_site_in_words() -> None:
    events = [
        event(NEW, 0, 1, id="a"),
        event(NEW, 0, 1, id="b"),
        event(NEW, 0, 1, id="c", confidence=0.6),
        event(SLIP, 3, 4, id="d", **BERTH, provisional=True),
        event(NEW, 3, None, id="e"),
    ]
    summary = summarise("Port One", events, LOOKS, Coverage(never=0.034, once=0.002))
    assert [clause.text for clause in summary.clauses] == [
        "Four new buildings and one docking slip were found at Port One between 3 January 2024 "
        "and 1 February 2025 (five images).",
        "Two buildings were built between 3 January and 14 March 2024.",
        "One building was probably built between 3 January and 14 March 2024.",
        "One docking slip was opened between 9 July 2024 and 1 February 2025 (the change shows "
        "only in the newest image).",
        "One building was begun after 9 July 2024 and not finished in the newest image.",
        "Not observed: 3.4 % of the site, which no usable image shows.",
    ]
    assert [clause.event_ids for clause in summary.clauses] == [
        ("a", "b", "c", "d", "e"),
        ("a", "b"),
        ("c",),
        ("d",),
        ("e",),
        (),
    ]


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([], "Port One was not observed: no usable image."),
        (
            LOOKS[:1],
            "Port One was seen once (3 January 2024): there is nothing to compare it with.",
        ),
        (
            LOOKS[:2],
            "No change was found at Port One between 3 January and 14 March 2024 (two images).",
        ),
        (
            [LOOKS[0], replace(LOOKS[1], usable_share=0.001)],
            "Port One was seen once (3 January 2024): there is nothing to compare it with.",
        ),
    ],
)
def test_little_or_nothing_to_say(looks: list[LookMeta], expected: str) -> None:
    assert summarise("Port One", [], looks, ALL).text == expected


@pytest.mark.parametrize(
    ("coverage", "expected"),
    [
        (
            Coverage(never=0.5, once=0.5),
            "Port One cannot be judged between 3 January and 14 March 2024 (two images): "
            "no part of it is seen twice.",
        ),
        (
            Coverage(never=0.1, once=0.3),
            "No change was found in the 60 % of Port One that were compared between 3 January "
            "and 14 March 2024 (two images).",
        ),
    ],
)
def test_not_compared_is_never_no_change(coverage: Coverage, expected: str) -> None:
    assert summarise("Port One", [], LOOKS[:2], coverage).clauses[0].text == expected


def test_of_a_single_image_it_is_said_what_it_does_not_show() -> None:
    summary = summarise("Port One", [], LOOKS[:1], Coverage(never=0.496, once=0.504))
    assert [clause.text for clause in summary.clauses] == [
        "50 % of Port One was seen once (3 January 2024): there is nothing to compare it with.",
        "Not observed: 50 % of the site, which no usable image shows.",
    ]


def test_long_gaps_between_looks_are_stated() -> None:
    looks = series(at(2023, 1, 1), at(2023, 1, 20), at(2023, 2, 9), at(2023, 8, 1), at(2023, 8, 9))
    summary = summarise("Port One", [], looks, ALL)
    (period,) = summary.periods_not_observed
    assert (period.start, period.end) == (looks[2].end, looks[3].start)
    assert summary.clauses[-1].text == (
        "No usable image shows the site between 9 February and 1 August 2023. Changes of that time "
        "are told from the images before and after it: they cannot be dated more closely, and what "
        "came and went in between was missed."
    )
    regular = series(*[at(2019 + n, 6, 1) for n in range(5)])
    assert summarise("Port One", [], regular, ALL).periods_not_observed == ()


def test_the_time_after_the_last_look_and_before_the_first_is_not_observed() -> None:
    looks = series(at(2023, 1, 1), at(2023, 1, 20), at(2023, 2, 9))
    cloudy = Period(at(2022, 6, 1)[0], at(2023, 10, 1)[1])
    summary = summarise("Port One", [], looks, ALL, cloudy)
    first, last = summary.periods_not_observed
    assert (first.start, first.end) == (cloudy.start, looks[0].start)
    assert (last.start, last.end) == (looks[-1].end, cloudy.end)
    assert summary.clauses[-1].text == (
        "Not observed: between 1 June 2022 and 1 January 2023, before the first usable image; "
        "between 9 February and 1 October 2023, after the last usable image."
    )
    soon = Period(at(2022, 12, 1)[0], at(2023, 3, 1)[1])
    assert summarise("Port One", [], looks, ALL, soon).periods_not_observed == ()
    assert summarise("Port One", [], [], ALL, cloudy).periods_not_observed == (cloudy,)
    assert len(summarise("Port One", [], looks[:1], ALL, cloudy).periods_not_observed) == 2


def test_doubts_are_told_with_the_events_that_they_touch() -> None:
    events = [
        event(SLIP, 0, 1, id="a", **BERTH, flags=("tide", "no_cloud_mask"), provisional=True),
        event(SLIP, 0, 1, id="b", **BERTH),
        event(NEW, 1, 2, id="c", flags=("assumed_date",)),
        event(NEW, 1, 2, id="d", flags=("assumed_date",)),
        event(NEW, 3, None, id="e", flags=("misregistered",)),
    ]
    assert [clause.text for clause in summarise("Port One", events, LOOKS, ALL).clauses[1:]] == [
        "One docking slip was opened between 3 January and 14 March 2024 (the change shows only "
        "in the last image of the place; may be the tide).",
        "One docking slip was opened between 3 January and 14 March 2024.",
        "Two buildings were built between 14 March and 1 May 2024 (one date is assumed).",
        "One building was begun after 9 July 2024 and not finished in the newest image "
        "(the images may be shifted against each other).",
    ]


def test_the_caution_of_the_weights_goes_with_buildings_and_with_nothing_else() -> None:
    caution = "What is told as a building may be a road."
    berth = event(SLIP, 0, 1, id="a", **BERTH)
    told = summarise("Port One", [berth, event(NEW, 1, 2, id="b")], LOOKS, ALL, caution=caution)
    assert (told.clauses[-1].text, told.clauses[-1].event_ids) == (caution, ("b",))
    for events in ([berth], []):
        told = summarise("Port One", events, LOOKS, ALL, caution=caution)
        assert caution not in told.text


def test_silence_about_what_was_not_asked_for_is_no_answer() -> None:
    told = summarise("Port One", [], LOOKS, ALL, kinds=(TORN,), stricter_than=0.999)
    assert [clause.text for clause in told.clauses] == [
        "No demolition was found at Port One between 3 January 2024 and 1 February 2025 "
        "(five images).",
        "Not asked for: new buildings and docking slips.",
        "Left out, as asked for: changes that are less than 99.9 % certain.",
    ]
    told = summarise("Port One", [], LOOKS, Coverage(once=0.5), kinds=(NEW, SLIP))
    assert told.clauses[0].text.startswith(
        "No new building or docking slip was found in the 50 % of"
    )


def test_two_images_confirm_nothing_which_is_said_once() -> None:
    flags = {"provisional": True, "flags": ("single_pair",)}
    two = [event(TORN, 0, 1, id="a", **flags), event(NEW, 0, 1, id="b", **flags)]
    told = summarise("Port One", two, LOOKS[:2], ALL).clauses
    assert [clause.text for clause in told[1:]] == [
        "One building was torn down between 3 January and 14 March 2024.",
        "One building was built between 3 January and 14 March 2024.",
        "Only two images: nothing confirms them.",
    ]
    assert told[-1].event_ids == ("a", "b")
    told = summarise("Port One", [two[0]], LOOKS[:2], ALL).clauses
    assert [clause.text for clause in told] == [
        "One building was torn down at Port One between 3 January and 14 March 2024 (only two "
        "images: nothing confirms it).",
    ]
    assert told[0].event_ids == ("a",)
    shifted = event(NEW, 0, 1, id="c", provisional=True, flags=("single_pair", "misregistered"))
    told = summarise("Port One", [shifted, replace(shifted, id="d")], LOOKS[:2], ALL).clauses
    assert told[0].text == (
        "Two buildings were built at Port One between 3 January and 14 March 2024 (only two "
        "images: nothing confirms them; the images may be shifted against each other)."
    )
    told = summarise("Port One", [two[0], event(NEW, 2, 3, id="c")], LOOKS, ALL).clauses
    assert told[-1].text == "Only two images show the place of one change: nothing confirms it."
    assert told[-1].event_ids == ("a",)


def test_the_summary_as_a_document() -> None:
    document = summarise("Port One", plot(1, 1), LOOKS, Coverage(never=0.25)).document()
    assert document["sentences"][1]["events"] == ["t0", "n0"]
    assert document["not_observed"]["never_share"] == 0.25
    assert document["text"].count(".") == 3


def test_numbers_and_lists() -> None:
    assert count(0, "event") == "no events"
    assert count(1, "event") == "one event"
    assert count(13, "berth") == "13 berths"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed([]) == ""
    assert [share(part) for part in (0, 0.0004, 0.0164, 0.03, 0.0998, 0.6)] == [
        "0 %",
        "less than 0.1 %",
        "1.6 %",
        "3 %",
        "10 %",
        "60 %",
    ]


def test_the_word_for_confidence_fits_the_number_in_the_files() -> None:
    assert (hedge(0.9497), hedge(0.9493)) == ("", "very likely")
