"""The script that tells errors of the network from those of the decoder, on rendered series."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.geometry import box

from groundbreak.config import DetectConfig
from groundbreak.errors import DataError
from groundbreak.evaluate.dates import TrueEvent
from groundbreak.pipeline.sitework import SiteWork
from groundbreak.prepare.store import PreparedLook
from groundbreak.types import Kind
from scripts_loaded import load

script = load("evaluate_series")
SIDE = 120
GRID = GeoBox((SIDE, SIDE), Affine(1, 0, 0, 0, -1, SIDE), "EPSG:32606")
PLOT = box(20, 20, 40, 36)


def day(number: float) -> datetime:
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=number)


def look(number: float, hidden: bool = False) -> SimpleNamespace:
    """A prepared look as far as the script asks for one; a cloud hides the west of it."""
    usable = np.ones((SIDE, SIDE), np.bool_)
    usable[:, :60] = not hidden
    return SimpleNamespace(
        id=f"d{number:g}",
        start=day(number),
        end=day(number),
        scene_ids=(f"s{number:g}",),
        sensor=None,
        usable_share=float(usable.mean()),
        valid_share=1.0,
        residual_px=0.1,
        aligned=True,
        apart=False,
        masked=True,
        flags=(),
        usable=lambda window: usable[window],
    )


def true(name: str, kind: Kind, begun: float, done: float, **more: object) -> TrueEvent:
    values = {"geometry": PLOT, **more}
    return TrueEvent(id=name, site_id="port", kind=kind, begun=day(begun), done=day(done), **values)


CHAIN = [
    true("gone", Kind.DEMOLITION, 95, 100),
    true("new", Kind.NEW_BUILDING, 180, 240, replaces=("gone",)),
    true("berth", Kind.DOCKING_SLIP, 100, 150, geometry=box(80, 60, 100, 110)),
]


@pytest.fixture(scope="module")
def work() -> SiteWork:
    looks = [look(n, hidden=n == 90) for n in (0, 60, 90, 120, 170, 210, 260, 300)]
    return SiteWork(GRID, cast("tuple[PreparedLook, ...]", tuple(looks)))


def test_a_series_of_other_options_is_not_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered = []

    def write(series: Path, *asked: object) -> None:
        rendered.append(asked)
        series.mkdir(exist_ok=True)
        if len(rendered) > 1:  # the first call is interrupted
            (series / "truth.geojson").write_text("{}")

    monkeypatch.setattr(script, "write_series", write)
    config = script.SimulationConfig(size_px=64, gsd_m=1.0)
    for _ in range(3):
        assert script.render(tmp_path, 1, 2, config) == tmp_path / "series"
    assert len(rendered) == 2
    with pytest.raises(DataError, match="other options: seed, looks"):
        script.render(tmp_path, 9, 2, replace(config, looks=5))
    (tmp_path / "options.json").unlink()
    with pytest.raises(DataError, match="other options: seed, sites"):
        script.render(tmp_path, 1, 2, config)
    assert len(rendered) == 2


def test_perfect_maps_say_what_changed_between_two_looks(work: SiteWork) -> None:
    oracle = script.Oracle.of(work, CHAIN)
    inside = (slice(84, 100), slice(20, 40))  # rows run south
    whole = script.Box(0, SIDE, 0, SIDE)
    for earlier, later, channel in (("d60", "d120", 1), ("d170", "d260", 0), ("d120", "d170", 2)):
        said, observed = oracle.read(script.PairKey(earlier, later), whole)
        assert observed.all()
        changed = said[channel] > 0.5
        assert changed.sum() == (1000 if channel == 2 else 320)
        assert channel == 2 or changed[inside].all()
        assert (np.delete(said, channel, axis=0) < 0.5).all()
    built_again, _ = oracle.read(script.PairKey("d60", "d260"), whole)
    assert (built_again[:2] < 0.5).all()
    _, observed = oracle.read(script.PairKey("d90", "d120"), whole)
    assert not observed[:, :60].any()
    assert observed[:, 60:].all()


def test_perfect_maps_give_the_shortest_intervals_that_usable_looks_allow(work: SiteWork) -> None:
    settings = DetectConfig().settings(None)
    events = {event.kind: event for event in script.perfect_events("port", work, CHAIN, settings)}
    ends = {k: (event.interval.start, event.interval.end) for k, event in events.items()}
    assert ends[Kind.DEMOLITION] == (day(60), day(120))
    assert ends[Kind.DOCKING_SLIP] == (day(120), day(170))
    assert ends[Kind.NEW_BUILDING][1] == day(260)
    assert events[Kind.NEW_BUILDING].replaces == (events[Kind.DEMOLITION].id,)
    assert [start for start, _ in script.usable_looks(CHAIN[0], work, 0.5)][:3] == [
        day(0),
        day(60),
        day(120),
    ]
