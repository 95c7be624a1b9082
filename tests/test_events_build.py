"""From change maps of a whole series to events, ledger and summary."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.geometry import box

from groundbreak.events.build import (
    Calibration,
    EventsConfig,
    EventsResult,
    Readers,
    SiteObservations,
    build_events,
)
from groundbreak.events.emission import Emission
from groundbreak.events.evidence import EvidenceConfig, ReadPixels
from groundbreak.events.history import escaped
from groundbreak.events.looks import LookMeta, PairKey
from groundbreak.events.objects import KnownObject
from groundbreak.events.schema import validate_feature
from groundbreak.events.states import Family, Rates
from groundbreak.events.summary import Coverage
from groundbreak.events.vectorize import VectorConfig, candidates
from groundbreak.events.water import find_water
from groundbreak.types import KINDS, Box, ChangeMap, Event, Kind
from groundbreak.writers.geojson import event_feature

SHAPE = (160, 200)
GRID = GeoBox(SHAPE, Affine(0.5, 0, 300_000, 0, -0.5, 4_000_000), "EPSG:32652")
AREA = box(*GRID.extent.boundingbox)
HALL = (slice(40, 80), slice(60, 120))
SHED = (slice(110, 130), slice(20, 44))
BASIN = (slice(100, 130), slice(80, 150))
NEW, TORN, SLIP = Kind.NEW_BUILDING, Kind.DEMOLITION, Kind.DOCKING_SLIP
CONFIG = EventsConfig()


@dataclass
class Series:
    """Looks every 40 days, and what the network says of every pair that links them."""

    count: int = 7
    changes: list[tuple[int, Kind, tuple[slice, slice]]] = field(default_factory=list)
    clouds: list[tuple[int, tuple[slice, slice]]] = field(default_factory=list)
    bad: list[tuple[int, Kind, tuple[slice, slice]]] = field(default_factory=list)
    looks: list[LookMeta] = field(init=False)

    def __post_init__(self) -> None:
        first = datetime(2024, 1, 3, 2, tzinfo=UTC)
        moments = [first + timedelta(days=40 * n) for n in range(self.count)]
        self.looks = [
            LookMeta(f"L{n}", m, m, (f"S{n}",), sensor="WV03", residual_px=0.2)
            for n, m in enumerate(moments)
        ]

    def usable(self, number: int) -> np.ndarray:
        mask = np.ones(SHAPE, bool)
        for look, where in self.clouds:
            if look == number:
                mask[where] = False
        return mask

    def pair(self, i: int, j: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng([i, j])
        p = np.clip(rng.normal(0.012, 0.004, (3, *SHAPE)), 0.001, 1)
        shown = [(look, kind, where) for look, kind, where in self.changes if i < look <= j]
        for look, kind, where in self.bad:  # seen in this look only
            opposite = TORN if kind is NEW else NEW
            if look == j:
                shown.append((look, kind, where))
            if look == i:
                shown.append((look, opposite, where))
        for _, kind, where in shown:
            p[:, where[0], where[1]] = 0.015
            p[KINDS.index(kind), where[0], where[1]] = 0.93
        return p.astype(np.float32), self.usable(i) & self.usable(j)

    def pairs(self) -> list[PairKey]:
        """Consecutive pairs, and those that jump over a look with clouds."""
        found = [(n, n + 1) for n in range(self.count - 1)]
        cloudy = {look for look, _ in self.clouds}
        found += [(n - 1, n + 1) for n in sorted(cloudy) if 0 < n < self.count - 1]
        return [PairKey(f"L{i}", f"L{j}") for i, j in found]

    def result(
        self,
        config: EventsConfig = CONFIG,
        read_pixels: ReadPixels | None = None,
        known: Sequence[KnownObject] = (),
        **changes: object,
    ) -> EventsResult:
        maps = {key: self.pair(int(key.earlier[1:]), int(key.later[1:])) for key in self.pairs()}
        patches = [
            candidate
            for key, (p, observed) in maps.items()
            for candidate in candidates(
                ChangeMap(key.earlier, key.later, GRID, p, observed), VectorConfig()
            )
        ]

        def read(pair: PairKey, window: Box) -> tuple[np.ndarray, np.ndarray]:
            y, x = window.slices
            return maps[pair][0][:, y, x], maps[pair][1][y, x]

        site = SiteObservations("port", "Port One", AREA, GRID, self.looks, list(maps), Coverage())
        site = replace(site, **changes)  # type: ignore[arg-type]
        readers = Readers(read, lambda name, w: self.usable(int(name[1:]))[w.slices], read_pixels)
        return build_events(site, patches, readers, config, known)


def only(result: EventsResult) -> Event:
    (event,) = result.events
    return event


def between(event: Event, series: Series) -> tuple[int | None, int | None]:
    starts = {look.start: n for n, look in enumerate(series.looks)}
    start, end = event.interval.start, event.interval.end
    return (starts[start] if start else None, starts[end] if end else None)


# --- dates --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(Kind))
def test_an_event_lies_between_the_two_looks_around_it(kind: Kind) -> None:
    series = Series(changes=[(3, kind, HALL)])
    event = only(series.result())
    assert event.kind is kind
    assert between(event, series) == (2, 3)
    assert (event.before_scenes, event.after_scenes) == (("S2",), ("S3",))
    assert event.confidence > 0.7
    assert event.date_confidence > 0.9
    assert event.area_m2 == pytest.approx(600, rel=0.06)
    assert not event.provisional
    assert event.flags == ()


def test_a_cloud_over_the_object_widens_only_its_own_interval() -> None:
    cloud = (slice(30, 90), slice(50, 130))
    series = Series(changes=[(3, NEW, HALL), (3, NEW, SHED)], clouds=[(3, cloud)])
    result = series.result()
    intervals = {round(event.area_m2): between(event, series) for event in result.events}
    assert len(intervals) == 2
    assert intervals[max(intervals)] == (2, 4)
    assert intervals[min(intervals)] == (2, 3)


def test_one_bad_look_neither_invents_nor_hides() -> None:
    invented = Series(bad=[(3, NEW, HALL)])
    assert invented.result().events == ()
    hidden = Series(changes=[(2, NEW, HALL)], bad=[(4, TORN, HALL)])
    event = only(hidden.result())
    assert between(event, hidden) == (1, 2)


def test_looks_in_which_nothing_is_usable_change_nothing() -> None:
    series = Series(count=6, changes=[(3, NEW, HALL), (4, TORN, SHED)])
    plain = series.result()
    everywhere = (slice(None), slice(None))
    blind = Series(count=7, changes=[(3, NEW, HALL), (4, TORN, SHED)], clouds=[(6, everywhere)])
    assert blind.result().events == plain.events


def test_an_event_in_the_newest_look_only_is_provisional() -> None:
    series = Series(changes=[(6, NEW, HALL)])
    event = only(series.result())
    assert event.provisional
    assert "shows only in the newest image" in event.sentence
    confirmed = only(Series(count=9, changes=[(6, NEW, HALL)]).result())
    assert not confirmed.provisional
    assert confirmed.confidence > event.confidence


def test_two_looks_give_their_two_dates() -> None:
    series = Series(count=2, changes=[(1, NEW, HALL), (1, TORN, SHED)])
    result = series.result()
    assert {event.kind for event in result.events} == {NEW, TORN}
    assert all(between(event, series) == (0, 1) for event in result.events)
    assert all("single_pair" in event.flags for event in result.events)


def test_coarse_dates_count_with_their_outer_bounds() -> None:
    series = Series(count=3, changes=[(1, NEW, HALL)])
    for number, year in enumerate((2017, 2018, 2020)):
        series.looks[number] = replace(
            series.looks[number],
            start=datetime(year, 1, 1, tzinfo=UTC),
            end=datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC),
        )
    event = only(series.result())
    assert event.interval.start == datetime(2017, 1, 1, tzinfo=UTC)
    assert event.interval.end == datetime(2018, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert "coarse_date" in event.flags
    assert "between 2017 and 2018" in event.sentence


def test_a_chain_is_dated_linked_and_told() -> None:
    series = Series(count=8, changes=[(2, TORN, HALL), (5, NEW, HALL)])
    result = series.result()
    torn, new = result.events
    assert (torn.kind, new.kind) == (TORN, NEW)
    assert between(torn, series) == (1, 2)
    assert between(new, series) == (4, 5)
    assert new.replaces == (torn.id,)
    assert torn.replaced_by == (new.id,)
    assert new.replaces_overlap is not None
    assert new.replaces_overlap > 0.9
    assert new.cleared == torn.interval
    (told,) = [clause for clause in result.summary.clauses if ";" in clause.text]
    assert set(told.event_ids) == {torn.id, new.id}


def test_kinds_that_are_not_asked_for_still_vouch_for_others() -> None:
    series = Series(count=8, changes=[(2, TORN, HALL), (5, NEW, HALL)])
    everything = series.result().events
    asked = series.result(replace(CONFIG, kinds=(NEW,))).events
    assert asked == tuple(event for event in everything if event.kind is NEW)
    assert asked[0].replaces


# --- what else is written -----------------------------------------------------------------------


def test_every_event_keeps_to_the_schema() -> None:
    changes = [(2, TORN, HALL), (5, NEW, HALL), (6, SLIP, BASIN), (3, NEW, SHED)]
    result = Series(changes=changes).result(replace(CONFIG, min_confidence=0.0))
    assert len(result.events) == 4
    for event in result.events:
        validate_feature(event_feature(event))


def test_the_ledger_says_of_every_look_whether_it_counted_and_why() -> None:
    cloud = (slice(30, 90), slice(50, 130))
    series = Series(changes=[(3, NEW, HALL)], clouds=[(4, cloud)])
    result = series.result()
    rows = {row.look_id: row for row in result.ledger}
    assert len(result.ledger) == series.count
    assert not rows["L4"].counted
    assert rows["L4"].reason == "not usable over the footprint"
    assert rows["L4"].evidence is None
    counted = [rows[f"L{n}"] for n in (0, 1, 2, 3, 5, 6)]
    assert all(row.counted and row.reason == "counted" for row in counted)
    stands = [row.evidence for row in counted]
    assert all(value is not None and value < 0.1 for value in stands[:3])
    assert all(value is not None and value > 0.9 for value in stands[3:])


def test_what_lies_outside_the_site_is_left_out_and_its_edge_flagged() -> None:
    series = Series(changes=[(3, NEW, HALL)])
    east_half = box(300_045, 3_999_920, 300_100, 4_000_000)
    assert "edge_of_site" in only(series.result(area=east_half)).flags
    assert series.result(area=box(300_055, 3_999_920, 300_100, 4_000_000)).events == ()


def test_flags_tell_what_was_wrong_with_the_looks() -> None:
    series = Series(changes=[(3, NEW, HALL)])
    series.looks[2] = replace(
        series.looks[2], aligned=False, cloud_masked=False, date_assumed=True, sensor="GE01"
    )
    event = only(series.result(replace(CONFIG, min_confidence=0.2)))
    assert event.flags == ("misregistered", "no_cloud_mask", "assumed_date", "mixed_sensors")


def test_satellites_of_one_build_are_one_sensor() -> None:
    series = Series(changes=[(3, NEW, HALL)])
    names = ["sentinel-2a", "sentinel-2b", "Sentinel-2C"]
    series.looks = [
        replace(look, sensor=names[number % 3]) for number, look in enumerate(series.looks)
    ]
    assert "mixed_sensors" not in only(series.result()).flags
    series.looks[2] = replace(series.looks[2], sensor="landsat-8")
    assert "mixed_sensors" in only(series.result()).flags


def test_a_footprint_of_a_few_pixels_is_flagged() -> None:
    series = Series(changes=[(3, NEW, (slice(40, 43), slice(60, 110)))])
    assert "low_resolution" in only(series.result()).flags


def test_a_thin_hook_is_of_low_resolution_however_wide_its_frame() -> None:
    arms = [
        (slice(20, 150), slice(60, 63)),
        (slice(147, 150), slice(60, 160)),
        (slice(20, 23), slice(60, 160)),
    ]
    event = only(Series(changes=[(3, SLIP, arm) for arm in arms]).result())
    assert event.width_m is not None
    assert event.width_m > 40
    assert {"low_resolution", "tide"} <= set(event.flags)


def test_a_berth_opens_to_the_water_that_the_later_look_shows() -> None:
    series = Series(changes=[(3, SLIP, BASIN)])
    asked = []

    def pixels(name: str, window: Box) -> tuple[np.ndarray, tuple[str, ...]]:
        asked.append(name)
        picture = np.full((3, *SHAPE), 0.4, np.float32)
        picture[:, BASIN[0], BASIN[1].start :] = 0.08  # the basin, and the sea to the east
        y, x = window.slices
        return picture[:, y, x], ("red", "green", "blue")

    event = only(series.result(read_pixels=pixels))
    assert event.mouth_azimuth_deg == pytest.approx(90, abs=1)
    assert asked == ["L3"]
    assert only(series.result()).mouth_azimuth_deg is None


@pytest.mark.parametrize("dry", [False, True])
def test_no_berth_is_dug_where_near_infrared_shows_dry_land(dry: bool) -> None:
    series = Series(changes=[(3, SLIP, BASIN)])

    def pixels(_: str, window: Box) -> tuple[np.ndarray, tuple[str, ...]]:
        picture = np.full((4, *SHAPE), 0.1, np.float32)
        picture[3] = 0.3  # land
        if not dry:
            # A third of the basin is water, the rest lies under ships.
            picture[3, BASIN[0], BASIN[1].start : BASIN[1].stop : 3] = 0.02
            picture[3, :, BASIN[1].stop :] = 0.02  # the sea
        y, x = window.slices
        return picture[:, y, x], ("red", "green", "blue", "nir")

    events = series.result(read_pixels=pixels).events
    assert [event.kind for event in events] == ([] if dry else [Kind.DOCKING_SLIP])


ABOVE, BELOW = (
    (slice(0, BASIN[0].start), BASIN[1]),
    (slice(BASIN[0].stop, None), BASIN[1]),
)
END = (BASIN[0], slice(BASIN[1].stop, None))
PIERS = (
    (slice(BASIN[0].start - 2, BASIN[0].start - 1), BASIN[1]),
    (slice(BASIN[0].stop, BASIN[0].stop + 1), BASIN[1]),
)
"""A pixel wide: most of what is near the berth is water."""
SHORE = (slice(None), slice(0, BASIN[1].start))
NORTH, SOUTH = (ABOVE[0], slice(None)), (BELOW[0], slice(None))
GATE = (BASIN[0], slice(BASIN[1].stop, BASIN[1].stop + 1))


@pytest.mark.parametrize(
    ("quays", "berths"),
    [
        ((ABOVE, BELOW), 1),
        (PIERS, 1),
        ((ABOVE, BELOW, SHORE, GATE), 1),
        ((NORTH, SOUTH, SHORE, END), 0),  # a pond
        ((END,), 0),
        ((), 0),
    ],
)
def test_a_berth_has_quays_beside_it(quays: tuple[tuple[slice, slice], ...], berths: int) -> None:
    series = Series(changes=[(3, SLIP, BASIN)])

    def pixels(_: str, window: Box) -> tuple[np.ndarray, tuple[str, ...]]:
        picture = np.full((4, *SHAPE), 0.1, np.float32)
        picture[3] = 0.02  # sea
        for quay in quays:
            picture[(3, *quay)] = 0.3
        y, x = window.slices
        return picture[:, y, x], ("red", "green", "blue", "nir")

    events = series.result(read_pixels=pixels).events
    assert [event.kind for event in events] == [Kind.DOCKING_SLIP] * berths


@pytest.mark.parametrize(("gsd_m", "near"), [(10.0, False), (2.0, False), (1.0, True), (0.5, True)])
def test_a_quay_five_metres_off_is_beside_a_berth(gsd_m: float, near: bool) -> None:
    """In pixels of any size: fine outlines keep off the shadow of a quay."""
    shape = Box(0, 40, 0, 60)
    berth = np.zeros(shape.shape, bool)
    berth[15:25, 20:40] = True
    picture = np.full((4, *shape.shape), 0.1, np.float32)
    picture[3] = 0.3  # land
    picture[3, 11:29, 16:] = 0.02  # water, four pixels more than the berth on three sides
    bands = ("red", "green", "blue", "nir")
    found = find_water(berth, picture, bands, shape, Affine.scale(1 / gsd_m))
    assert (found.sides >= 0.6) == near


@pytest.mark.parametrize("hidden", [False, True])
def test_a_berth_of_which_the_mouth_is_not_seen_may_open_there(hidden: bool) -> None:
    clouds = [(3, (slice(None), slice(BASIN[1].stop, None)))] if hidden else []
    series = Series(changes=[(3, SLIP, BASIN)], clouds=clouds)

    def pixels(_: str, window: Box) -> tuple[np.ndarray, tuple[str, ...]]:
        picture = np.full((4, *SHAPE), 0.1, np.float32)
        picture[3] = 0.3  # land
        picture[(3, *BASIN)] = 0.02
        y, x = window.slices
        return picture[:, y, x], ("red", "green", "blue", "nir")

    assert len(series.result(read_pixels=pixels).events) == int(hidden)


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="min_confidence"):
        EventsConfig(min_confidence=1.5)
    with pytest.raises(ValueError, match="min_usable"):
        EvidenceConfig(min_usable=-0.1)
    with pytest.raises(ValueError, match="finish"):
        Rates(finish=0.0)
    with pytest.raises(ValueError, match="misled"):
        Emission(misled=dict.fromkeys(Family, 2.0))


def test_ragged_water_is_flagged_as_tide() -> None:
    shore = (slice(20, 140), slice(10, 190))
    series = Series(changes=[(3, SLIP, shore)])
    normal = only(series.result())
    assert "tide" not in normal.flags
    assert normal.length_m == pytest.approx(90, rel=0.02)
    series.changes += [(3, SLIP, (slice(20, 100), slice(10, 150)))]

    def fringe(i: int, j: int) -> tuple[np.ndarray, np.ndarray]:
        p, observed = Series.pair(Series(), i, j)
        if i < 3 <= j:
            y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
            p[2][abs(x - 0.008 * (y - 80) ** 2 - 60) < 6] = 0.93
        return p, observed

    series.pair = fringe  # type: ignore[method-assign]
    assert "tide" in only(series.result()).flags


def test_less_certain_events_are_left_out() -> None:
    series = Series(changes=[(3, NEW, HALL)])
    confidence = only(series.result()).confidence
    assert series.result(replace(CONFIG, min_confidence=confidence + 0.001)).events == ()
    doubtful = replace(CONFIG, calibration=Calibration(offset=-4.0), min_confidence=0.0)
    assert only(series.result(doubtful)).confidence < confidence


@pytest.mark.parametrize(("at", "asked"), [(1, 0.87), (4, 0.8), (6, 0.8)])
def test_what_the_first_look_alone_shows_must_be_surer(at: int, asked: float) -> None:
    series = Series(changes=[(at, NEW, HALL)])
    config = replace(CONFIG, min_confidence_eased=1.0)
    posterior = only(series.result()).confidence
    for confidence, told in ((asked - 0.01, 0), (asked + 0.01, 1)):
        offset = np.log(confidence / (1 - confidence)) - np.log(posterior / (1 - posterior))
        calibrated = replace(config, calibration=Calibration(offset=float(offset)))
        assert len(series.result(calibrated).events) == told


def test_of_two_looks_the_first_is_not_asked_for_more() -> None:
    series = Series(changes=[(1, NEW, HALL)], count=2)
    doubtful = replace(CONFIG, calibration=Calibration(offset=-1.5))
    assert only(series.result(doubtful)).confidence < CONFIG.min_confidence


def test_nothing_at_all_is_said_in_words() -> None:
    result = Series().result()
    assert result.events == ()
    assert result.ledger == ()
    assert result.summary.text.startswith("No change was found at Port One")


# --- more looks ---------------------------------------------------------------------------------


def test_another_look_keeps_ids_and_intervals() -> None:
    changes = [(2, NEW, HALL), (4, TORN, SHED)]
    before = Series(count=6, changes=changes).result()
    after = Series(count=8, changes=changes).result()
    kept = [(event.id, event.interval) for event in before.events]
    assert [(event.id, event.interval) for event in after.events] == kept


def test_a_run_that_knows_its_objects_gives_the_same_result() -> None:
    series = Series(changes=[(2, NEW, HALL), (5, SLIP, BASIN)])
    first = series.result()
    again = series.result(known=first.objects)
    assert again == first


def test_an_event_keeps_its_id_when_its_outline_is_cut_anew() -> None:
    series = Series(changes=[(2, NEW, HALL), (4, TORN, HALL), (5, NEW, HALL)])
    first = series.result()
    [built, *_] = first.events
    wide = built.geometry.buffer(9)  # so wide that by its outline it is another object
    before = KnownObject("building-before", NEW, wide, {NEW: built.interval})
    again = series.result(known=[before])
    name = "building-before-new_building"
    assert [event.id for event in again.events].count(name) == 1
    [same] = [event for event in again.events if event.id == name]
    assert replace(same, id=built.id) == built
    assert len(again.ledger) == len(first.ledger)
    assert sum(row.object_id == "building-before" for row in again.ledger) == len(series.looks)
    assert {o.id: o.told.get(NEW) for o in again.objects}["building-before"] == built.interval
    assert name in {i for clause in again.summary.clauses for i in clause.event_ids}


def test_a_look_mostly_under_cloud_deserves_little_trust() -> None:
    assert escaped(1.0, 0.05) == 0.0
    assert escaped(0.5, 0.05) == pytest.approx(0.0526, abs=1e-3)
    assert escaped(0.05, 0.05) == pytest.approx(1.0)
    assert escaped(0.0, 0.05) == 1.0
    series = Series(changes=[(6, NEW, HALL)])
    told = only(series.result())
    series.looks[6] = replace(series.looks[6], clear_share=0.1)
    result = series.result(replace(CONFIG, min_confidence=0.0, min_confidence_eased=0.0))
    assert only(result).confidence < told.confidence / 2


def test_a_certain_event_vouches_for_what_it_is_linked_with() -> None:
    series = Series(changes=[(2, TORN, HALL), (4, NEW, HALL)])
    loose = replace(CONFIG, min_confidence=0.0, min_confidence_eased=0.0)
    events = series.result(loose).events
    low, high = sorted(event.confidence for event in events)
    assert low < high
    between = replace(CONFIG, min_confidence=(low + high) / 2)
    assert len(series.result(replace(between, min_confidence_eased=low)).events) == 2
    assert len(series.result(replace(between, min_confidence_eased=1.0)).events) == 1
