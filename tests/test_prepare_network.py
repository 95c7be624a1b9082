"""The trained cloud network in the preparation of looks, with a stand-in where it is absent."""

import sys
from datetime import UTC, datetime
from types import ModuleType

import numpy as np
import pytest
from shapely.geometry import box

from groundbreak.config import DetectConfig, updated
from groundbreak.errors import ConfigError, InputError
from groundbreak.prepare.acquire import Acquired
from groundbreak.prepare.looks import LookPlan
from groundbreak.prepare.network import CloudNetwork, clouds_by_network, settled
from groundbreak.prepare.overview import find_clouds, take_glance
from groundbreak.raster.grid import site_grid
from groundbreak.types import Scene, Site
from groundbreak.usable import csmask

RGBN = ("red", "green", "blue", "nir")
NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
GRID = site_grid(Site("s", "S", box(124.0, 39.0, 124.01, 39.01)), 10.0)
VEIL = (slice(30, 66), slice(30, 60))


@pytest.fixture
def asked(monkeypatch):
    """What a stand-in for the package was asked; it calls cloud what is bright in near infrared."""
    calls = []

    class CSmask:
        def __init__(self, img, band_order, product_level):
            calls.append(product_level)
            self.csm = (img[..., [band_order.index("nir")]] > 0.5).astype(np.uint8)

    package, module = ModuleType("ukis_csmask"), ModuleType("ukis_csmask.mask")
    module.CSmask = CSmask
    monkeypatch.setitem(sys.modules, "ukis_csmask", package)
    monkeypatch.setitem(sys.modules, "ukis_csmask.mask", module)
    return calls


def plan(sensor="Sentinel-2A", name="S2A_MSIL2A_20240301", **properties):
    scene = Scene(name, NOON, NOON, (), sensor=sensor, properties=properties)
    return LookPlan(name, NOON, NOON, (scene,), sensor, 10.0)


def look(bands=RGBN, masked=False):
    """Dull ground; a veil that only near infrared shows."""
    pixels = np.full((len(bands), *GRID.shape), 0.1, np.float32)
    if "nir" in bands:
        pixels[(bands.index("nir"), *VEIL)] = 0.9
    everywhere = np.ones(GRID.shape, bool)
    return Acquired(pixels, everywhere, everywhere, masked, bands)


def test_the_network_hides_what_the_rules_cannot_see(asked):
    without, judged = (take_glance(plan(), look(), GRID, network) for network in (False, True))
    assert without.clear.all()
    clouds = find_clouds(judged, [], GRID)
    assert clouds[VEIL].all()
    assert clouds.sum() == clouds[VEIL].size
    assert not judged.clear[VEIL].any()
    assert asked == ["l2a"]


@pytest.mark.parametrize(
    ("sensor", "name", "level"),
    [
        ("Sentinel-2B", "S2B_MSIL1C_20240301", "l1c"),
        ("Sentinel-2A L2A MAJA/THEIA FRE", "2024-03-01", "l2a"),
        ("Landsat 8 OLI L1TP", "LC08", "l1c"),
        ("landsat-9", "LC09_L2SP", "l2a"),
    ],
)
def test_it_is_told_the_level_of_the_product(asked, sensor, name, level):
    assert clouds_by_network(plan(sensor, name), look(), 10.0)[VEIL].all()
    assert asked == [level]


@pytest.mark.parametrize(
    ("plan", "look", "gsd_m"),
    [
        (plan("PlanetScope", "a"), look(), 10.0),
        (plan(None, "a"), look(), 10.0),
        (plan(), look(masked=True), 10.0),
        (plan(), look(RGBN[:3]), 10.0),
        (plan(), look(), 100.0),
    ],
    ids=["another sensor", "no sensor", "a mask of its own", "no near infrared", "too coarse"],
)
def test_elsewhere_it_is_not_asked(asked, plan, look, gsd_m):
    assert not clouds_by_network(plan, look, gsd_m).any()
    assert asked == []


def test_auto_depends_on_the_installation(monkeypatch):
    monkeypatch.setattr(csmask, "installed", lambda: True)
    assert settled(CloudNetwork.AUTO) is CloudNetwork.REQUIRE
    assert settled(CloudNetwork.NEVER) is CloudNetwork.NEVER
    monkeypatch.setattr(csmask, "installed", lambda: False)
    assert settled(CloudNetwork.AUTO) is CloudNetwork.NEVER
    asked = updated(DetectConfig(), {"prepare": {"cloud_network": "require"}}, "a.yaml")
    with pytest.raises(ConfigError, match=r"not installed.*groundbreak\[csmask\]"):
        asked.prepare.settled()


def test_a_worker_without_it_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "ukis_csmask.mask", None)  # another test may have it loaded
    with pytest.raises(InputError, match="ukis-csmask is not installed"):
        clouds_by_network(plan(), look(), 10.0)


def test_detect_and_tile_say_what_is_missing(tmp_path, command, engine, monkeypatch):
    from series import write_series, write_sites

    monkeypatch.setattr(csmask, "installed", lambda: False)
    write_series(tmp_path / "scenes", [{}, {}])
    sites = write_sites(tmp_path / "sites.geojson")
    config = tmp_path / "config.yaml"
    config.write_text("prepare: {cloud_network: require}")
    words = ["--sites", sites, "--catalog", tmp_path / "scenes", "--config", config]
    for name in ("detect", "tile"):
        answer = command(name, *words, "-o", tmp_path / name)
        assert answer.code == 2
        assert "pip install 'groundbreak[csmask]'" in answer.error
        assert not (tmp_path / name).exists()
