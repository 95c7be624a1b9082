"""Change maps to polygons: thresholds, blocks, splitting, right angles."""

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from scipy import ndimage
from shapely.geometry import box

from groundbreak.events.geometry import MIN_REGULAR_IOU, iou, regularize, to_pixels
from groundbreak.events.looks import PairKey
from groundbreak.events.vectorize import VectorConfig, candidates, candidates_streamed
from groundbreak.types import KINDS, Box, ChangeMap, Kind

GSD = 0.5
CONFIG = VectorConfig()


def grid(height: int, width: int) -> GeoBox:
    return GeoBox((height, width), Affine(GSD, 0, 300_000, 0, -GSD, 4_000_000), "EPSG:32652")


def change_map(probabilities: np.ndarray, observed: np.ndarray | None = None) -> ChangeMap:
    shape = probabilities.shape[1:]
    seen = np.ones(shape, bool) if observed is None else observed
    return ChangeMap("a", "b", grid(*shape), probabilities.astype(np.float32), seen)


def quiet(height: int = 120, width: int = 160) -> np.ndarray:
    return np.full((3, height, width), 0.02, np.float32)


def turned_rectangle(shape: tuple[int, int], angle: float) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    u = (x - 80) * np.cos(angle) + (y - 60) * np.sin(angle)
    v = -(x - 80) * np.sin(angle) + (y - 60) * np.cos(angle)
    return (abs(u) < 35) & (abs(v) < 20)


def test_a_patch_becomes_a_polygon_on_the_ground() -> None:
    p = quiet()
    p[1, 20:40, 30:60] = 0.9
    (found,) = candidates(change_map(p), CONFIG)
    assert found.kind is Kind.DEMOLITION
    assert found.box == Box(20, 40, 30, 60)
    assert found.polygon.equals(box(300_015, 3_999_980, 300_030, 3_999_990))
    assert found.mean == pytest.approx(0.9)
    assert found.peak == pytest.approx(0.9)
    assert not found.at_edge


def test_holes_are_kept() -> None:
    p = quiet()
    p[0, 20:80, 30:90] = 0.9
    p[0, 40:60, 50:70] = 0.02
    (found,) = candidates(change_map(p), CONFIG)
    assert len(found.polygon.interiors) == 1
    assert found.polygon.area == pytest.approx((60 * 60 - 20 * 20) * GSD**2)


def test_hysteresis_grows_a_patch_but_does_not_found_one() -> None:
    p = quiet()
    p[0, 20:40, 30:60] = 0.4
    assert candidates(change_map(p), CONFIG) == []
    p[0, 25:35, 40:50] = 0.9
    (found,) = candidates(change_map(p), CONFIG)
    assert found.box == Box(20, 40, 30, 60)


def test_small_patches_are_dropped_by_kind() -> None:
    p = quiet()
    p[0, 20:32, 30:42] = 0.9  # 36 m²: enough for a building
    p[2, 60:72, 30:42] = 0.9  # too little for a slip
    assert [c.kind for c in candidates(change_map(p), CONFIG)] == [Kind.NEW_BUILDING]


def test_what_was_not_observed_is_not_a_candidate() -> None:
    p = quiet()
    p[0, 20:40, 30:60] = 0.9
    observed = np.ones(p.shape[1:], bool)
    observed[:, 45:] = False
    (found,) = candidates(change_map(p, observed), CONFIG)
    assert found.box == Box(20, 40, 30, 45)


def test_an_empty_map_gives_nothing() -> None:
    assert candidates(change_map(quiet()), CONFIG) == []


def random_map(seed: int) -> ChangeMap:
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=(3, 90, 110)), (0, 4, 4))
    p = np.exp(noise * 25)
    return change_map(p / (1 + p.sum(axis=0)))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), height=st.integers(7, 90), width=st.integers(7, 110))
def test_blocks_leave_no_trace(seed: int, height: int, width: int) -> None:
    change = random_map(seed)
    whole = candidates(change, CONFIG)
    rows, columns = change.geobox.shape
    blocks = [
        Box(y, min(y + height, rows), x, min(x + width, columns))
        for y in range(0, rows, height)
        for x in range(0, columns, width)
    ]

    def read(window: Box):  # type: ignore[no-untyped-def]
        y, x = window.slices
        return change.probabilities[:, y, x], change.observed[y, x]

    streamed = candidates_streamed(read, blocks, change.geobox, PairKey("a", "b"), CONFIG)
    assert [(c.kind, c.box) for c in streamed] == [(c.kind, c.box) for c in whole]
    for one, other in zip(streamed, whole, strict=True):
        assert one.polygon.equals(other.polygon)
        assert one.mean == pytest.approx(other.mean, abs=1e-5)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_polygons_are_valid_disjoint_and_close_to_their_pixels(seed: int) -> None:
    change = random_map(seed)
    found = candidates(change, CONFIG)
    for c in found:
        assert c.polygon.is_valid
        assert c.polygon.area >= 0.8 * CONFIG.min_area_m2[c.kind]
    for kind in KINDS:
        own = [c.polygon for c in found if c.kind is kind]
        overlap = sum(p.area for p in own) - shapely.union_all(own).area
        assert overlap <= 0.02 * sum(p.area for p in own)


def test_windows_where_nothing_was_computed_are_skipped() -> None:
    p = quiet()
    p[0, 20:40, 30:60] = 0.9
    change = change_map(p)

    def read(window: Box):  # type: ignore[no-untyped-def]
        y, x = window.slices
        return None if window.x0 else (change.probabilities[:, y, x], change.observed[y, x])

    blocks = [Box(0, 120, 0, 80), Box(0, 120, 80, 160)]
    found = candidates_streamed(read, blocks, change.geobox, PairKey("a", "b"), CONFIG)
    assert [c.box for c in found] == [Box(20, 40, 30, 60)]


def test_two_buildings_joined_by_a_weak_bridge_are_parted() -> None:
    p = quiet()
    p[0, 20:50, 30:60] = p[0, 20:50, 64:94] = 0.95
    p[0, 20:50, 60:64] = 0.35
    p = ndimage.gaussian_filter(p, (0, 0.7, 0.7))
    found = candidates(change_map(p), CONFIG)
    assert len(found) == 2
    assert all(abs(c.polygon.area - 32 * 30 * GSD**2) < 0.1 * c.polygon.area for c in found)


def test_one_building_with_a_speckled_roof_stays_one() -> None:
    p = quiet()
    rng = np.random.default_rng(1)
    p[0, 20:60, 30:100] = np.clip(0.8 + 0.15 * rng.normal(size=(40, 70)), 0.3, 1)
    assert len(candidates(change_map(p), CONFIG)) == 1


@pytest.mark.parametrize("angle", [0.0, 0.3, 0.8])
def test_buildings_get_right_angles_that_fit_the_mask(angle: float) -> None:
    rng = np.random.default_rng(3)
    shape = (120, 160)
    mask = turned_rectangle(shape, angle)
    p = quiet(*shape)
    p[0] = np.where(mask, 0.9, 0.02) + rng.normal(0, 0.03, shape)
    p = ndimage.gaussian_filter(p, (0, 1, 1))
    (found,) = candidates(change_map(p), CONFIG)
    (regular,) = regularize([found.polygon], GSD)
    assert len(regular.exterior.coords) < len(found.polygon.exterior.coords)
    from rasterio.features import rasterize

    drawn = rasterize([to_pixels(regular, grid(*shape))], out_shape=shape).astype(bool)
    assert (drawn & mask).sum() / (drawn | mask).sum() >= 0.85
    corners = np.asarray(regular.exterior.coords)
    edges = np.diff(corners, axis=0)
    long = edges[np.hypot(*edges.T) > 5]
    turn = np.degrees(np.arctan2(long[:, 1], long[:, 0])) % 90
    assert np.minimum(abs(turn - turn[0]), 90 - abs(turn - turn[0])).max() < 1


@pytest.mark.parametrize(
    ("straight", "blur", "is_round"),
    [(0, 14, True), (5, 7, False)],
    ids=["a tank", "a house with blurred corners"],
)
def test_only_a_disc_becomes_a_circle(straight: float, blur: float, is_round: bool) -> None:
    y, x = np.mgrid[:120, :160]
    beyond = [np.maximum(abs(axis) - straight, 0) for axis in (x - 80, y - 60)]
    p = quiet()
    p[0] = np.where(np.hypot(*beyond) <= blur, 0.9, 0.02)
    (found,) = candidates(change_map(p), CONFIG)
    (outline,) = regularize([found.polygon], GSD)
    assert (len(outline.exterior.coords) > 50) == is_round


def test_a_shape_that_right_angles_do_not_fit_stays_as_it_is() -> None:
    star = shapely.Polygon(
        [
            (np.cos(a) * r, np.sin(a) * r)
            for a, r in zip(np.linspace(0, 2 * np.pi, 15)[:-1], [30, 6] * 7, strict=True)
        ]
    )
    (outline,) = regularize([star], GSD)
    assert iou(outline, star) >= MIN_REGULAR_IOU


def test_regularising_nothing_gives_nothing() -> None:
    assert regularize([], GSD) == []
