"""A change that several events tell is told once."""

from datetime import UTC, datetime

from shapely.geometry import Polygon, box

from groundbreak.events.doubles import without_doubles
from groundbreak.types import Event, Interval, Kind

SPRING = Interval(datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 5, 1, tzinfo=UTC))
AUTUMN = Interval(datetime(2024, 9, 1, tzinfo=UTC), datetime(2024, 11, 1, tzinfo=UTC))
HALL = box(0, 0, 60, 50)


def event(
    name: str,
    outline: Polygon,
    confidence: float = 0.9,
    kind: Kind = Kind.NEW_BUILDING,
    interval: Interval = SPRING,
) -> Event:
    return Event(
        id=name,
        site_id="s",
        site_name="s",
        kind=kind,
        interval=interval,
        geometry=outline,
        crs="EPSG:32652",
        confidence=confidence,
        date_confidence=confidence,
        area_m2=outline.area,
        before_scenes=("a",),
        after_scenes=("b",),
        usable_fraction=1.0,
    )


def told(*events: Event, certain: tuple[str, ...] | None = None) -> set[str]:
    names = {each.id for each in events} if certain is None else set(certain)
    return {each.id for each in without_doubles(events, names)}


def test_a_part_gives_way_to_a_certain_whole_however_sure_it_is():
    corner, strip = box(0, 0, 10, 10), box(50, 0, 63, 50)
    whole = event("whole", HALL, 0.95)
    assert told(event("corner", corner, 0.999), whole, event("strip", strip, 0.99)) == {"whole"}


def test_a_part_stays_where_the_whole_is_not_certain():
    events = event("part", box(0, 0, 10, 10), 0.9), event("whole", HALL, 0.6)
    assert told(*events, certain=("part",)) == {"part"}


def test_buildings_that_fill_what_one_pair_drew_as_one_stay():
    row = [event(f"house {n}", box(15 * n, 0, 15 * n + 12, 50), 0.95) for n in range(4)]
    assert told(event("row", HALL, 0.9), *row) == {f"house {n}" for n in range(4)}
    assert told(event("row", HALL, 0.96), *row) == {"row"}


def test_uncertain_parts_do_not_fill_a_whole():
    row = [event(f"house {n}", box(15 * n, 0, 15 * n + 12, 50), 0.7) for n in range(4)]
    assert told(event("row", HALL, 0.65), *row, certain=("row",)) == {"row"}


def test_the_less_certain_of_two_alike_is_left_out():
    assert told(event("a", HALL, 0.9), event("b", box(0, 0, 58, 50), 0.95)) == {"b"}


def test_outlines_that_share_a_quarter_of_their_ground_tell_of_one_building():
    one = event("one", box(0, 0, 20, 20), 0.9)
    assert told(one, event("other", box(14, 0, 34, 20), 0.95)) == {"other"}
    assert told(one, event("neighbour", box(17, 0, 37, 20), 0.95)) == {"one", "neighbour"}


def test_other_kinds_times_and_plots_are_other_changes():
    part = box(0, 0, 10, 10)
    others = (
        event("torn down", part, kind=Kind.DEMOLITION),
        event("later", part, interval=AUTUMN),
        event("beside", box(60, 0, 70, 10)),
    )
    assert len(told(event("whole", HALL), *others)) == 4


def test_none():
    assert told() == set()
