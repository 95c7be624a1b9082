"""The pure rules of reading, each as a table: names, offsets, nodata, addresses, side-cars."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from odc.geo.geobox import GeoBox

from groundbreak.errors import HrefError
from groundbreak.raster.bands import common_name, find_band, missing_band, name_bands
from groundbreak.raster.href import resolve_href, shown
from groundbreak.raster.offsets import OffsetDecision, baseline_offset, check_dark_jump, dark_dn
from groundbreak.raster.sidecars import read_sidecars
from groundbreak.raster.valid import from_border, has_data
from groundbreak.raster.values import at_maximum, to_reflectance
from groundbreak.types import Band, HrefPolicy, Patch, Scene


@pytest.mark.parametrize(
    ("name", "sensor", "common"),
    [
        ("red", None, "red"),
        ("Red", None, "red"),
        ("R", None, "red"),
        ("B04", None, "red"),
        ("B8A", None, "nir08"),
        ("B08", None, "nir"),
        ("B11", None, "swir16"),
        ("red B4", None, "red"),
        ("nir B8A (20 m)", None, "nir"),
        ("SR_B4", None, "red"),
        ("SR_B5", None, "nir08"),
        ("SR_B4", "Landsat 7 ETM+", "nir08"),
        ("B5", "Landsat 8 OLI", "nir08"),
        ("B5", "LANDSAT_5 TM", "swir16"),
        ("B5", "Sentinel-2", "rededge071"),
        ("B3", "landsat-7", "red"),
        ("swir1", None, "swir16"),
        ("SWIR 2", None, "swir22"),
        ("near infrared", None, "nir"),
        ("red edge", None, "rededge"),
        ("red_edge_1", None, "rededge071"),
        ("swir1_as_red", None, "swir16"),
        ("nir_as_green", None, "nir"),
        ("BQA", None, None),
        ("NDVI*10000", None, None),
        ("band4", None, None),
        ("", None, None),
    ],
)
def test_common_name(name: str, sensor: str | None, common: str | None) -> None:
    assert common_name(name, sensor) == common


@pytest.mark.parametrize(
    ("descriptions", "colours", "common", "noted"),
    [
        ([None] * 3, ["red", "green", "blue"], ["red", "green", "blue"], False),
        ([None] * 3, ["blue", "green", "red"], ["blue", "green", "red"], False),
        ([None] * 3, ["undefined"] * 3, ["red", "green", "blue"], True),
        ([None] * 4, ["gray", *["undefined"] * 3], ["red", "green", "blue", "nir"], True),
        ([None] * 4, ["red", "green", "blue", "undefined"], ["red", "green", "blue", "nir"], False),
        ([None] * 5, ["undefined"] * 5, ["red", "green", "blue", "nir", "swir16"], True),
        ([None] * 2, ["undefined"] * 2, [None, None], False),
        ([None] * 8, ["undefined"] * 8, [None] * 8, False),
        (["B02", "B03", "B04"], ["red", "green", "blue"], ["blue", "green", "red"], False),
        (["swir1_as_red", "x", None], ["red", "green", "blue"], ["swir16", None, None], False),
        ([" ", "", None], ["undefined"] * 3, ["red", "green", "blue"], True),
        (["Band 1", "Band_2", "band3"], ["blue", "green", "red"], ["blue", "green", "red"], False),
        (["1", "Layer 2", "#3"], ["undefined"] * 3, ["red", "green", "blue"], True),
    ],
)
def test_naming(descriptions: list, colours: list, common: list, noted: bool) -> None:
    bands = [Band(i + 1, "") for i in range(len(colours))]
    naming = name_bands(bands, descriptions, colours)
    assert [band.common_name for band in naming.bands] == common
    assert (naming.note is not None) == noted
    assert len({band.name for band in naming.bands}) == len(bands)


def test_a_band_is_found_by_name_then_common_name_then_twin() -> None:
    bands = [Band(1, "B8A", "nir08"), Band(2, "B04", "red"), Band(3, "nir", None)]
    assert find_band(bands, "red").index == 2
    assert find_band(bands, "b04").index == 2
    assert find_band(bands, "nir").index == 3
    assert find_band(bands[:2], "nir").index == 1
    assert find_band(bands, "B4").index == 2
    assert find_band(bands, "green") is None
    assert "no band 'green', only B8A=nir08, B04=red, nir" in str(missing_band("x", "green", bands))


def scene(
    properties: dict[str, Any] | None = None,
    scene_id: str = "s",
    sensor: str | None = "sentinel-2a",
    year: int = 2022,
) -> Scene:
    then = datetime(year, 2, 1, tzinfo=UTC)
    return Scene(scene_id, then, then, (), sensor=sensor, properties=properties or {})


S2 = "S2A_MSIL2A_20220201T020931_{}_R103_T52SFA_20220201T040129"


PB, PRODUCT, APPLIED = "s2:processing_baseline", "s2:product_uri", "earthsearch:boa_offset_applied"


@pytest.mark.parametrize(
    ("given", "dn", "band_offsets", "reason"),
    [
        (scene({PB: "04.00"}), -1000, False, "baseline 04.00: 1000 taken off"),
        (scene({PB: "05.09"}), -1000, False, "05.09"),
        (scene({PB: "05.11", APPLIED: False}), -1000, False, "taken off"),
        (scene({PB: "05.09", APPLIED: True}), 0, False, "applied already"),
        (scene({PB: "03.01"}), 0, False, "no offset"),
        (scene({PB: "02.14", APPLIED: True}), 0, False, "02.14"),
        (scene({"sentinel:processing_baseline": "N0400"}), -1000, False, "04.00"),
        (scene(scene_id=S2.format("N0400")), -1000, False, "04.00"),
        (scene(scene_id=S2.format("N0510")), -1000, False, "05.10"),
        (scene(scene_id=S2.format("N0301")), 0, False, "03.01"),
        (scene({PRODUCT: S2.format("N0400") + ".SAFE"}), -1000, False, "04.00"),
        # The baseline decides, not the date: an old acquisition, processed again.
        (scene(scene_id=S2.format("N0500"), year=2017), -1000, False, "05.00"),
        (scene({PB: "05.09", "collection": "S2_SR_HARMONIZED"}), 0, False, "harmonised"),
        (scene({APPLIED: True}), 0, False, "applied already"),
        (scene(), 0, True, "not stated"),
        (scene(sensor="Sentinel-2A L2A MAJA/THEIA FRE"), 0, True, "not an ESA"),
        (scene(scene_id="HLS.S30.T52SFA", sensor="Sentinel-2B"), 0, True, "not an ESA"),
        (scene(sensor="Landsat 8"), 0, True, "not an ESA"),
        (scene(sensor=None), 0, True, "not an ESA"),
        (scene(sensor="PlanetScope"), 0, True, "not an ESA"),
    ],
)
def test_offset_of_baseline_four(given: Scene, dn: float, band_offsets: bool, reason: str) -> None:
    decision = baseline_offset(given)
    assert (decision.dn, decision.band_offsets) == (dn, band_offsets)
    assert reason in decision.reason


@pytest.mark.parametrize(
    ("dtype", "band", "offset", "expected"),
    [
        # Taken off once, whatever the item says of its bands.
        ("uint16", Band(1, "b"), OffsetDecision(-1000, "", False), 0.2),
        ("uint16", Band(1, "b", scale=1e-4, offset=-0.1), OffsetDecision(-1000, "", False), 0.2),
        # Applied already: the stated offset is known to be wrong.
        ("uint16", Band(1, "b", scale=1e-4, offset=-0.1), OffsetDecision(0, "", False), 0.3),
        ("uint16", Band(1, "b", scale=1e-4, offset=-0.1), OffsetDecision(0, "", True), 0.2),
        ("uint16", Band(1, "b", scale=2.75e-5, offset=-0.2), OffsetDecision(0, ""), 0.0),
        ("uint16", Band(1, "b"), OffsetDecision(0, ""), 0.3),
        ("int16", Band(1, "b"), OffsetDecision(0, ""), 0.3),
        # The same digital numbers in floating point.
        ("dn", Band(1, "b", scale=1e-4), OffsetDecision(-1000, "", False), 0.2),
        ("dn", Band(1, "b", scale=1e-4, offset=-0.1), OffsetDecision(-1000, "", False), 0.2),
        ("dn", Band(1, "b", scale=1e-4, offset=-0.1), OffsetDecision(0, "", False), 0.3),
        ("dn", Band(1, "b", scale=1e-4, offset=-0.1), OffsetDecision(0, "", True), 0.2),
        ("dn", Band(1, "b", scale=1 / 65535), OffsetDecision(-1000, "", False), 3000 / 65535),
        # A rendered picture of the scene, and reflectance as it is, have no offset.
        ("uint8", Band(1, "b"), OffsetDecision(-1000, "", False), 200 / 255),
        ("float32", Band(1, "b"), OffsetDecision(-1000, "", False), 0.3),
    ],
)
def test_digital_numbers_to_reflectance(
    dtype: str, band: Band, offset: OffsetDecision, expected: float
) -> None:
    value = {"uint8": 200, "float32": 0.3}.get(dtype, 3000)
    dn = np.array([[value]], "float32" if dtype == "dn" else dtype)
    assert to_reflectance(dn, band, offset)[0, 0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_the_offset_never_goes_below_the_darkest_valid_number(dtype: str) -> None:
    dn = np.array([[0, 900, 1000, 1001, 65535]], dtype)
    values = to_reflectance(dn, Band(1, "b", scale=1e-4), OffsetDecision(-1000, "", False))
    np.testing.assert_allclose(values, [[0.0, 1e-4, 1e-4, 1e-4, 1.0]], atol=1e-7)


@pytest.mark.parametrize(
    ("before", "after", "correction", "words"),
    [
        (200, 1210, -1000, "left in"),
        (1150, 120, 1000, "taken off twice"),
        (200, 450, 0, "no offset"),
        (200, 200, 0, "no offset"),
        (900, 300, 0, "no offset"),
        (100, 2500, 0, "no offset"),
    ],
)
def test_jump_of_dark_pixels(before: float, after: float, correction: float, words: str) -> None:
    jump = check_dark_jump(before, after)
    assert jump.correction_dn == correction
    assert words in jump.reason


def patch(values: np.ndarray, valid: np.ndarray) -> Patch:
    grid = GeoBox(valid.shape, site_affine(), "EPSG:32634")
    return Patch(grid, ("red",), values[np.newaxis].astype("float32"), valid, np.zeros_like(valid))


def site_affine() -> Any:
    from affine import Affine

    return Affine(10, 0, 0, 0, -10, 0)


def test_dark_end_counts_valid_pixels_only() -> None:
    values = np.full((10, 100), 0.5)
    values[:, :50], values[:, 50:60] = 0.0, 0.12
    valid = np.ones((10, 100), bool)
    valid[:, :50] = False
    assert dark_dn(patch(values, valid)) == pytest.approx(1200)
    assert dark_dn(patch(values, np.zeros((10, 100), bool))) is None


@pytest.mark.parametrize(
    ("dtype", "nodata", "pixels", "valid"),
    [
        # In 8 bits a single dark or white band is a picture.
        ("uint8", [0, 0, 0], [(0, 0, 0), (0, 9, 9), (9, 9, 9)], [False, True, True]),
        ("uint8", [255, 255, 255], [(255, 255, 255), (255, 9, 9), (0, 0, 0)], [False, True, True]),
        ("uint8", [0, None, None], [(0, 0, 0)], [True]),
        # In wider types a hole in one band is a hole.
        ("uint16", [0, 0, 0], [(0, 0, 0), (0, 9, 9), (9, 9, 9)], [False, False, True]),
        ("uint16", [1, 1, 1], [(1, 1, 1), (0, 0, 0)], [False, True]),
        ("uint16", [65535] * 3, [(65535, 9, 9), (9, 9, 9)], [False, True]),
        ("int16", [-9999] * 3, [(-9999, -9999, -9999), (-5, 0, 0)], [False, True]),
        ("float32", [None] * 3, [(np.nan, 0.1, 0.1), (0, 0, 0)], [False, True]),
        ("float32", [np.nan] * 3, [(np.nan, np.nan, np.nan), (0.2, 0, 0)], [False, True]),
        ("float32", [-3.4028234663852886e38] * 3, [(-3.4028234663852886e38,) * 3], [False]),
        # A value the type cannot hold marks nothing.
        ("uint8", [-9999] * 3, [(0, 0, 0)], [True]),
        ("uint16", [1e20] * 3, [(0, 0, 0)], [True]),
        ("uint16", [0.5] * 3, [(0, 0, 0)], [True]),
        ("uint16", [None] * 3, [(0, 0, 0)], [True]),
    ],
)
def test_nodata(dtype: str, nodata: list, pixels: list, valid: list) -> None:
    dn = np.array(pixels, dtype).T[:, np.newaxis, :]
    np.testing.assert_array_equal(has_data(dn, nodata)[0], valid)


def test_only_zeros_at_the_border_are_fill() -> None:
    zero = np.zeros((9, 9), bool)
    zero[:, :2] = True  # a collar
    zero[4, 2:5] = True  # a bay of it
    zero[6:8, 6:8] = True  # a dark pond
    fill = from_border(zero)
    assert fill[:, :2].all()
    assert fill[4, 4]
    assert not fill[6:8, 6:8].any()
    assert from_border(zero, seeds=np.zeros_like(zero)).sum() == 0


@pytest.mark.parametrize(
    ("dtype", "value", "saturated"),
    [("uint8", 255, False), ("uint16", 65535, True), ("uint16", 10000, False),
     ("int16", 32767, True), ("float32", 1.0, False)],
)  # fmt: skip
def test_saturation(dtype: str, value: float, saturated: bool) -> None:
    assert at_maximum(np.array([[value]], dtype))[0, 0] == saturated


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A catalogue's folder with links, and a secret outside it."""
    (tmp_path / "catalog" / "deep").mkdir(parents=True)
    (tmp_path / "named").mkdir()
    for file in ("catalog/a.tif", "catalog/deep/b c.tif", "named/d.tif", "secret.tif"):
        (tmp_path / file).write_bytes(b"x")
    (tmp_path / "catalog" / "inside.tif").symlink_to("deep/b c.tif")
    (tmp_path / "catalog" / "outside.tif").symlink_to(tmp_path / "secret.tif")
    (tmp_path / "catalog" / "loop.tif").symlink_to("loop.tif")
    return tmp_path


@pytest.mark.parametrize(
    ("href", "leads_to"),
    [
        ("{root}/catalog/a.tif", "catalog/a.tif"),
        ("a.tif", "catalog/a.tif"),
        ("./deep/../a.tif", "catalog/a.tif"),
        ("deep/b c.tif", "catalog/deep/b c.tif"),
        ("file://{root}/catalog/deep/b%20c.tif", "catalog/deep/b c.tif"),
        ("file://localhost{root}/catalog/a.tif", "catalog/a.tif"),
        ("inside.tif", "catalog/deep/b c.tif"),
        ("{root}/named/d.tif", "named/d.tif"),
        ("{root}/catalog/not_there.tif", "catalog/not_there.tif"),
    ],
)
def test_local_addresses_that_may_be_read(tree: Path, href: str, leads_to: str) -> None:
    policy = HrefPolicy(root=str(tree / "catalog"), folders=(str(tree / "named"),))
    assert resolve_href(href.format(root=tree), policy) == str(tree / leads_to)


@pytest.mark.parametrize(
    ("href", "words"),
    [
        ("{root}/secret.tif", r"outside the folder of the catalogue; .*--allow"),
        ("../secret.tif", "outside"),
        ("deep/../../secret.tif", "outside"),
        ("outside.tif", "outside"),
        ("loop.tif", "cannot be followed|outside"),
        ("{root}/catalog_other/a.tif", "outside"),
        ("/etc/passwd", "outside"),
        ("file:///etc/passwd", "outside"),
        ("file://server/share/a.tif", "another machine"),
        ("/vsicurl/http://x/a.tif", "virtual file"),
        ("/vsizip/{root}/catalog/a.zip/a.tif", "virtual file"),
        ("//vsicurl/x", "virtual file"),
        ("/VSIS3/x", "virtual file"),
        ("a.vrt", "VRT"),
        ("{root}/catalog/A.VRT", "VRT"),
        ("https://allowed.org/a.vrt?x=1", "VRT"),
        ("GTIFF_DIR:1:{root}/secret.tif", "scheme"),
        ("s3://bucket/a.tif", "scheme 's3'"),
        ("ftp://allowed.org/a.tif", "scheme"),
        ("zip+file://x", "scheme"),
        ("vrt://a.tif", "scheme"),
        ("<VRTDataset/>\n", "not an address"),
        ("", "not an address"),
        ("a\0.tif", "not an address"),
        ("https://other.org/a.tif?sig=SECRET", "--allow other.org"),
        ("https://allowed.org.evil.org/a.tif", "not a host"),
        ("https://allowed.org@evil.org/a.tif", "evil.org"),
        ("https:///a.tif", "no host"),
        ("https://[broken/a.tif", "not a valid"),
    ],
)
def test_addresses_that_may_not_be_read(tree: Path, href: str, words: str) -> None:
    policy = HrefPolicy(root=str(tree / "catalog"), hosts=("allowed.org",))
    with pytest.raises(HrefError, match=words) as caught:
        resolve_href(href.format(root=tree), policy)
    assert "SECRET" not in str(caught.value)


def test_hosts_are_read_by_name_and_port() -> None:
    policy = HrefPolicy(hosts=("allowed.org", "127.0.0.1:8080"))
    for href in (
        "https://allowed.org/a.tif",
        "HTTP://Allowed.ORG/a.tif?sig=x",
        "http://127.0.0.1:8080/a",
    ):
        assert resolve_href(href, policy) == href
    with pytest.raises(HrefError):
        resolve_href("http://127.0.0.1:9090/a", policy)
    with pytest.raises(HrefError, match="relative"):
        resolve_href("a.tif", policy)
    assert shown("https://a/b?sig=x") == "https://a/b"


WORLD = "0.5\n0\n0\n-0.5\n100.25\n199.75\n"


@pytest.mark.parametrize(
    ("picture", "world"),
    [("p.jpg", "p.jgw"), ("p.jpg", "p.jpgw"), ("p.png", "p.PGW"), ("p.tif", "p.tfw"),
     ("p.webp", "p.wld"), ("p.jpeg", "p.jgw"), ("my.p.jpg", "my.p.jpgw"), ("p.JPG", "p.JGW")],
)  # fmt: skip
def test_world_files(tmp_path: Path, picture: str, world: str) -> None:
    (tmp_path / world).write_text(WORLD)
    found = read_sidecars(tmp_path / picture)
    assert tuple(found.transform)[:6] == (0.5, 0, 100.0, 0, -0.5, 200.0)
    assert found.crs is None


def test_what_lies_beside_a_picture_may_also_be_nonsense(tmp_path: Path) -> None:
    for text in ("", "1 2 3", "a b c d e f", "0 0 0 0 1 1", WORLD + "7\n"):
        (tmp_path / "p.jgw").write_text(text)
        assert read_sidecars(tmp_path / "p.jpg").transform is None
    (tmp_path / "p.jgw").write_bytes(os.urandom(200))
    (tmp_path / "p.prj").write_text("PROJCS[nonsense")
    (tmp_path / "p.jpg.aux.xml").write_text("<PAMDataset><SRS>nothing</SRS></PAMDataset>")
    assert read_sidecars(tmp_path / "p.jpg") == read_sidecars(tmp_path / "absent.jpg")


def test_crs_from_prj_and_aux_xml(tmp_path: Path) -> None:
    from pyproj import CRS

    (tmp_path / "p.prj").write_text(CRS(32634).to_wkt("WKT1_ESRI"))
    assert read_sidecars(tmp_path / "p.png").crs == "EPSG:32634"
    wkt = CRS(3857).to_wkt().replace('"', "&quot;")
    (tmp_path / "q.png.aux.xml").write_text(
        f'<PAMDataset><SRS dataAxisToSRSAxisMapping="1,2">{wkt}</SRS>'
        "<GeoTransform>  1.0e+02,  5.0e-01,  0, 2.0e+02,  0, -5.0e-01</GeoTransform></PAMDataset>"
    )
    found = read_sidecars(tmp_path / "q.png")
    assert found.crs == "EPSG:3857"
    assert tuple(found.transform)[:6] == (0.5, 0, 100.0, 0, -0.5, 200.0)
