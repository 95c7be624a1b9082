"""A simulated site: the same every time, and its truth, labels and pixels agree."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.features
from shapely.geometry import shape

from groundbreak.simulate.plan import EventCounts
from groundbreak.simulate.series import write_series
from groundbreak.simulate.site import (
    RenderedLook,
    SimulatedSite,
    SimulationConfig,
    simulate_site,
)
from groundbreak.types import Kind

CONFIG = SimulationConfig(
    size_px=256, gsd_m=1.5, drawn_px=1, looks=7, events=EventCounts(4, 3, 1, 1)
)


@pytest.fixture(scope="module")
def simulated() -> SimulatedSite:
    return simulate_site(5, CONFIG)


@pytest.fixture(scope="module")
def looks(simulated: SimulatedSite) -> list[RenderedLook]:
    return [simulated.render(i) for i in range(len(simulated.dates))]


def inside(simulated: SimulatedSite, footprint: object) -> np.ndarray:
    return rasterio.features.rasterize(
        [footprint], simulated.geobox.shape, transform=simulated.geobox.affine
    ).astype(bool)


def test_a_seed_always_gives_the_same_site(
    simulated: SimulatedSite, looks: Sequence[RenderedLook]
) -> None:
    again = simulate_site(5, CONFIG)
    assert again.truth == simulated.truth
    assert again.dates == simulated.dates
    assert np.array_equal(again.render(2).pixels, looks[2].pixels)
    assert simulate_site(6, CONFIG).dates != simulated.dates


def test_events_are_as_many_as_asked_for(simulated: SimulatedSite) -> None:
    kinds = [event.kind for event in simulated.truth]
    assert kinds.count(Kind.NEW_BUILDING) == 4 + 1
    assert kinds.count(Kind.DEMOLITION) == 3 + 1
    assert kinds.count(Kind.DOCKING_SLIP) == 1
    assert len(simulated.unchanged) >= 16


def test_times_are_in_order(simulated: SimulatedSite) -> None:
    assert list(simulated.dates) == sorted(set(simulated.dates))
    assert all(date.tzinfo is UTC for date in simulated.dates)
    for event in simulated.truth:
        if event.end_datetime is not None:
            assert event.start_datetime < event.end_datetime <= simulated.dates[-1]
        if event.cleared is not None and event.cleared[1] is not None:
            assert event.cleared[0] < event.cleared[1]


def test_a_chain_frees_its_plot_before_it_builds(simulated: SimulatedSite) -> None:
    by_id = {event.id: event for event in simulated.truth}
    (new,) = [event for event in simulated.truth if event.replaces]
    old = by_id[new.replaces]  # type: ignore[index]
    assert old.kind is Kind.DEMOLITION
    assert old.end_datetime is not None
    assert new.end_datetime is not None
    assert old.end_datetime < new.end_datetime
    assert old.footprint.intersection(new.footprint).area > 0.4 * old.footprint.area
    assert old.cleared is not None
    assert old.cleared[1] is not None


def test_labels_follow_the_truth(simulated: SimulatedSite) -> None:
    """Every pair of looks: an event is labelled if and only if it was done between them."""
    for i in range(len(simulated.dates) - 1):
        label = simulated.label(i, i + 1)
        for event in simulated.truth:
            if event.end_datetime is None or event.replaces:
                continue
            between = simulated.dates[i] < event.end_datetime <= simulated.dates[i + 1]
            begun = event.start_datetime > simulated.dates[i]
            values = label[inside(simulated, event.footprint)]
            share = np.mean(values == event.kind.value_in_mask)
            if not between:
                assert share < 0.1, (event.id, i)
            elif begun:
                assert share > 0.7, (event.id, i)


def test_the_whole_span_shows_the_change_in_pixels(
    simulated: SimulatedSite, looks: Sequence[RenderedLook]
) -> None:
    label = simulated.label(0, len(looks) - 1)
    a, b = looks[0].pixels.mean(0), looks[-1].pixels.mean(0)
    difference = np.abs((a - np.median(a)) / a.std() - (b - np.median(b)) / b.std())
    changed = np.isin(label, [1, 2, 3])
    assert changed.sum() > 200
    assert difference[changed].mean() > 1.5 * difference[label == 0].mean()


def test_masks_say_what_cannot_be_seen(looks: Sequence[RenderedLook]) -> None:
    usable = [look.usable.mean() for look in looks]
    assert usable[0] == usable[-1] == 1
    assert min(usable) < 0.6  # the cloudy one
    assert any(not look.valid.all() for look in looks)  # the edge of the swath
    for look in looks:
        assert (look.pixels[:, ~look.valid] == 0).all()
        assert (look.pixels[:, look.valid] > 0).all()
        if look.cloud.sum() > 500:
            clear = look.usable
            assert look.pixels[:, look.cloud].mean() > look.pixels[:, clear].mean() + 30


def test_snow_whitens_one_look(simulated: SimulatedSite, looks: Sequence[RenderedLook]) -> None:
    (snowy,) = [i for i, plan in enumerate(simulated.plans) if plan.conditions.snow > 0]
    assert simulated.dates[snowy].month in {11, 12, 1, 2, 3}
    land = simulated.world.land.elevation > 3
    land = land[8:-8, 8:-8]

    def colourless(look: RenderedLook) -> float:
        where = look.usable & land
        return float(np.ptp(look.pixels[:, where].astype(float), axis=0).mean())

    others = [colourless(look) for i, look in enumerate(looks) if i != snowy]
    assert colourless(looks[snowy]) < np.median(others)


def test_the_shift_is_what_the_look_says(simulated: SimulatedSite) -> None:
    config = simulated.config
    assert simulated.plans[0].shift_px == (0.0, 0.0)
    for plan in simulated.plans:
        assert np.abs(plan.shift_px).max() <= config.shift_px
    from skimage.registration import phase_cross_correlation

    first, other = simulated.render(0), simulated.render(1)
    dx, dy = simulated.plans[1].shift_px
    found, _, _ = phase_cross_correlation(
        first.pixels[0].astype(float), other.pixels[0].astype(float), upsample_factor=20
    )
    assert found == pytest.approx((-dy, -dx), abs=0.8)


def test_sixteen_bits_and_four_bands() -> None:
    config = SimulationConfig(
        size_px=128,
        gsd_m=10,
        drawn_px=2,
        bands=4,
        encoding="uint16",
        looks=3,
        events=EventCounts(1, 1, 0, 0),
    )
    look = simulate_site(2, config).render(0)
    assert look.pixels.shape == (4, 128, 128)
    assert look.pixels.dtype == np.uint16
    assert 100 < np.median(look.pixels) < 6000


@pytest.mark.parametrize("bad", [{"size_px": 10}, {"looks": 1}, {"gsd_m": 50.0}, {"days": 0.0}])
def test_what_cannot_be_simulated_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"needed|must be"):
        SimulationConfig(**bad)  # type: ignore[arg-type]


def test_a_series_on_disk_says_that_it_is_simulated(tmp_path: Path) -> None:
    config = SimulationConfig(
        size_px=200, gsd_m=2.0, drawn_px=1, looks=2, events=EventCounts(1, 1, 0, 1)
    )
    (made,) = write_series(tmp_path, 3, config=config)
    scenes = sorted((tmp_path / "scenes").iterdir())
    assert [path.name for path in scenes] == [
        f"{made.site.id}_{date:%Y-%m-%d}.tif" for date in made.dates
    ]
    with rasterio.open(scenes[0]) as raster:
        assert raster.tags()["SIMULATED"] == "yes"
        assert raster.tags()["ACQUISITION_DATE"] == made.dates[0].strftime("%Y-%m-%dT%H:%M:%SZ")
        assert raster.transform == made.geobox.affine
        assert raster.descriptions == ("red", "green", "blue")
        assert np.array_equal(raster.read(), made.render(0).pixels)
    assert "SIMULATED" in (tmp_path / "README.txt").read_text()
    truth = json.loads((tmp_path / "truth.geojson").read_text())["features"]
    events = [f["properties"] for f in truth if f["properties"]["kind"]]
    assert {e["kind"] for e in events} == {"new_building", "demolition", "docking_slip"}
    (site,) = json.loads((tmp_path / "sites.geojson").read_text())["features"]
    area = shape(site["geometry"])
    assert all(area.buffer(0.01).contains(shape(f["geometry"])) for f in truth)
    assert all(f["properties"]["simulated"] for f in [*truth, site])
