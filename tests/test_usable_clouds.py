"""Opaque cloud costs the look below it; roofs, yards, sand and haze do not."""

import importlib.util

import numpy as np
import pytest
from scipy import ndimage

from groundbreak.errors import InputError
from groundbreak.raster.read import read_picture
from groundbreak.scaling import to_unit
from groundbreak.usable.background import background_from
from groundbreak.usable.blocks import block_mean, unblock
from groundbreak.usable.clouds import detect_clouds
from groundbreak.usable.csmask import network_clouds

RGB = ("red", "green", "blue")
SIDE = 400
EVERYWHERE = np.ones((SIDE, SIDE), bool)


def town(seed=0, light=1.0):
    """Plots, houses and streets at 2 m, an 8-bit picture by its brightness."""
    rng = np.random.default_rng(seed)
    image = rng.uniform(0.2, 0.45, (3, 20, 20)).repeat(20, 1).repeat(20, 2)
    for _ in range(250):
        y, x = rng.integers(0, SIDE - 8, 2)
        image[:, y : y + rng.integers(4, 8), x : x + rng.integers(4, 8)] = rng.uniform(0.1, 0.8)
    noise = np.random.default_rng(seed + 1).normal(0, 0.01, image.shape)
    return np.clip(image * light + noise, 0, 1).astype(np.float32)


def overcast(image, centres, radius_px=45, soft_px=8.0, shadow=(70, 50), white=0.95):
    """Cloud with soft edges and its shadow laid over a picture; also where they are opaque."""
    height, width = image.shape[1:]
    rows, cols = np.mgrid[:height, :width]
    disk = np.zeros((height, width), np.float32)
    for y, x in centres:
        disk[np.hypot(rows - y, cols - x) < radius_px] = 1
    alpha = ndimage.gaussian_filter(disk, soft_px)
    dark = ndimage.shift(alpha, shadow, order=1)
    seen = image * (1 - 0.5 * dark)
    seen = seen * (1 - alpha) + white * alpha
    return seen.astype(np.float32), alpha > 0.8, (dark > 0.8) & (alpha < 0.1)


def judge(look, ground, gsd_m=2.0, bands=RGB):
    everywhere = np.ones(look.shape[1:], bool)
    return detect_clouds(look, everywhere, bands, gsd_m, ground, everywhere)


def test_cloud_and_shadow_are_found_and_nothing_else():
    look, cloud, shadow = overcast(town(), [(120, 130)])
    found = judge(look, town(light=0.9))
    assert found.reason == ""
    assert found.cloud[cloud].mean() > 0.95
    assert found.shadow[shadow].mean() > 0.9
    far = ndimage.distance_transform_edt(~(cloud | shadow)) > 50
    assert not (found.cloud | found.shadow)[far].any()
    assert not (found.cloud & found.shadow).any()


def cut_off(frayed):
    """A round white thing over a town, as white as the picture can show."""
    rows, cols = np.mgrid[:SIDE, :SIDE]
    disk = (np.hypot(rows - 180, cols - 190) < 60).astype(np.float32)
    alpha = ndimage.gaussian_filter(disk, 0.75)
    if frayed:  # a quarter of its edge
        quarter = (rows < 180) & (cols < 190)
        alpha = np.where(quarter, ndimage.gaussian_filter(disk, 3.0), alpha)
    return np.clip(town() * (1 - alpha) + alpha, 0, 1).astype(np.float32), disk > 0


def test_a_cloud_whose_brightness_was_cut_off_may_have_a_steeper_edge():
    look, cloud = cut_off(frayed=True)
    assert judge(look, town()).cloud[cloud].mean() > 0.9
    tank, _ = cut_off(frayed=False)
    assert not judge(tank, town()).cloud.any()


def test_a_small_cloud_over_fine_pixels_is_found_and_a_small_roof_is_not():
    fine = town().repeat(2, 1).repeat(2, 2)
    look, cloud, _ = overcast(fine, [(300, 320)], radius_px=20, soft_px=7.0, shadow=(90, 60))
    assert judge(look, fine, gsd_m=1.0).cloud[cloud].mean() > 0.9
    roof, _, _ = overcast(fine, [(300, 320)], radius_px=20, soft_px=1.0, shadow=(20, 12))
    assert not judge(roof, fine, gsd_m=1.0).cloud.any()


def test_without_a_cloud_there_is_no_shadow():
    look = town()
    look[:, 200:300, 200:300] *= 0.4
    found = judge(look, town())
    assert not found.cloud.any()
    assert not found.shadow.any()


@pytest.mark.parametrize("colour", [(0.97, 0.97, 0.97), (0.8, 0.65, 0.45), (0.7, 0.7, 0.7)])
def test_new_roofs_and_yards_stay_usable(colour):
    look = town()
    look[:, 100:180, 120:260] = np.array(colour, np.float32)[:, None, None]
    found = judge(look, town())
    assert not found.cloud.any()
    assert not judge(look, town(), gsd_m=10.0).cloud.any()


def grey(image):
    return np.tensordot(np.float32([0.3, 0.5, 0.2]), image, 1)[None].repeat(3, 0)


def test_in_shades_of_grey_ground_that_became_bright_is_no_cloud_and_a_cloud_is():
    yard = town()
    yard[:, 100:160, 120:190] = np.float32([0.9, 0.72, 0.54])[:, None, None]  # bare sand
    yard = ndimage.gaussian_filter(yard, (0, 1.5, 1.5))
    assert not judge(yard, town(light=0.7)).cloud.any()
    assert not judge(grey(yard), grey(town(light=0.7))).cloud.any()
    look, cloud, _ = overcast(town(), [(200, 200)], radius_px=110, soft_px=20)
    assert judge(grey(look), grey(town())).cloud[cloud].mean() > 0.8


def test_haze_and_another_light_are_no_cloud():
    hazy = town() * 0.6 + 0.3
    assert not judge(hazy.astype(np.float32), town()).cloud.any()
    assert not judge(town(light=1.8), town()).cloud.any()


@pytest.mark.parametrize("bands", [RGB, ("red", "green", "blue", "nir"), ("pan",)])
def test_any_bands(bands):
    look, cloud, _ = overcast(town(), [(200, 200)])
    index = [min(i, 2) for i in range(len(bands))]
    found = judge(look[index], town()[index], bands=bands)
    assert found.cloud[cloud].mean() > 0.9


def test_reflectance_at_ten_metres():
    ground = town() * np.float32(0.3)
    look, cloud, _ = overcast(ground, [(150, 150)], radius_px=20, soft_px=3, white=0.5)
    assert judge(look, ground, gsd_m=10.0).cloud[cloud].mean() > 0.9


def test_by_itself_only_a_large_cloud_counts():
    look, cloud, _ = overcast(town(), [(200, 200)], radius_px=70, soft_px=14)
    alone = detect_clouds(look, EVERYWHERE, RGB, 2.0)
    assert alone.cloud[cloud].mean() > 0.9
    assert not alone.shadow.any()
    roof = town()
    roof[:, 100:200, 100:200] = 0.97
    assert not detect_clouds(roof, EVERYWHERE, RGB, 2.0).cloud.any()


def test_a_white_look_is_unusable_as_a_whole():
    """Snow, fog and a closed cloud deck."""
    rng = np.random.default_rng(4)
    white = np.clip(0.9 + rng.normal(0, 0.02, (3, SIDE, SIDE)), 0, 1).astype(np.float32)
    valid = EVERYWHERE.copy()
    valid[:50] = False
    found = detect_clouds(white, valid, RGB, 2.0, town(), EVERYWHERE)
    assert "turned white" in found.reason
    assert np.array_equal(found.cloud, valid)


def test_what_is_not_seen_is_not_cloud():
    nothing = np.zeros((3, SIDE, SIDE), np.float32)
    for background, known in ((None, None), (town(), EVERYWHERE)):
        found = detect_clouds(nothing, ~EVERYWHERE, RGB, 2.0, background, known)
        assert not found.cloud.any()
    look, _, _ = overcast(town(), [(200, 200)])
    valid = EVERYWHERE.copy()
    valid[:, 200:] = False
    assert not detect_clouds(look, valid, RGB, 2.0, town(), EVERYWHERE).cloud[:, 200:].any()


def test_fine_pixels_give_a_mask_of_their_size():
    look, cloud, _ = overcast(town(), [(200, 200)])
    fine = look.repeat(3, 1).repeat(3, 2)[:, :-2, :-1]
    ground = town().repeat(3, 1).repeat(3, 2)[:, :-2, :-1]
    found = judge(fine, ground, gsd_m=2 / 3)
    assert found.cloud.shape == fine.shape[1:]
    assert found.cloud[cloud.repeat(3, 0).repeat(3, 1)[:-2, :-1]].mean() > 0.9


def test_shapes_are_checked():
    with pytest.raises(ValueError, match="b bands"):
        detect_clouds(town(), EVERYWHERE, ("red",), 2.0)
    with pytest.raises(ValueError, match="together"):
        detect_clouds(town(), EVERYWHERE, RGB, 2.0, town())
    with pytest.raises(ValueError, match="background of"):
        detect_clouds(town(), EVERYWHERE, RGB, 2.0, town()[:, :10], EVERYWHERE)


def test_background_is_the_lower_median_of_what_is_usable():
    stack = np.array([0.2, 0.9, 0.4, 0.6], np.float32)[:, None, None, None] * np.ones((1, 1, 1, 3))
    usable = np.ones((4, 1, 3), bool)
    usable[0, 0, 1] = False
    usable[:, 0, 2] = False
    ground, known = background_from(stack.astype(np.float32), usable)
    assert ground[0, 0] == pytest.approx([0.4, 0.6, 0.0])
    assert known.tolist() == [[True, True, False]]
    with pytest.raises(ValueError, match="expected"):
        background_from(stack[0], usable)


def test_blocks_average_what_is_valid():
    pixels = np.arange(15, dtype=np.float32).reshape(1, 3, 5)
    valid = np.ones((3, 5), bool)
    valid[0, 0] = False
    valid[2, 4] = False
    mean, whole = block_mean(pixels, valid, 2)
    assert mean.shape == (1, 2, 3)
    assert mean[0, 0, 0] == pytest.approx((1 + 5 + 6) / 3)
    assert whole.tolist() == [[True, True, True], [True, True, False]]
    assert unblock(whole, 2, (3, 5)).shape == (3, 5)


def test_the_network_says_what_it_needs():
    with pytest.raises(InputError, match="nir"):
        network_clouds(town(), EVERYWHERE, RGB, 10.0)
    if importlib.util.find_spec("ukis_csmask") is None:
        bands = ("red", "green", "blue", "nir")
        with pytest.raises(InputError, match="not installed"):
            network_clouds(town()[[0, 1, 2, 2]], EVERYWHERE, bands, 10.0)


def picture(path, bands=4):
    values, _, valid = read_picture(path)
    return to_unit(values[:bands]), valid


@pytest.mark.shared
def test_the_network_finds_the_clouds_of_paris(shared):
    pytest.importorskip("ukis_csmask")
    bands = ("red", "green", "blue", "nir")
    look, valid = picture(shared / "pairs/oscd/train/B/paris.jp2")
    assert 0.01 < network_clouds(look, valid, bands, 10.0, "l1c").cloud.mean() < 0.1
    clear, valid = picture(shared / "pairs/oscd/train/A/paris.jp2")
    assert network_clouds(clear, valid, bands, 10.0, "l1c").cloud.mean() < 0.005


@pytest.mark.shared
def test_no_port_is_called_cloud(shared):
    for path in sorted((shared / "eo" / "ports").glob("*/*.tif")):
        look, valid = picture(path)
        found = detect_clouds(look, valid, ("red", "green", "blue", "nir"), 10.0)
        assert found.cloud.mean() < 0.005, path.name


@pytest.mark.shared
@pytest.mark.parametrize("city", ["paris", "abudhabi", "cupertino", "beirut"])
def test_of_the_cities_only_paris_has_clouds(shared, city):
    train = shared / "pairs" / "oscd" / "train"
    (before, one), (after, two) = (picture(train / date / f"{city}.jp2") for date in "AB")
    bands = ("red", "green", "blue", "nir")
    assert not detect_clouds(before, one, bands, 10.0, after, two).cloud.any()
    found = detect_clouds(after, two, bands, 10.0, before, one)
    if city == "paris":
        assert 0.005 < found.cloud.mean() < 0.05
        assert found.shadow.any()
    else:
        assert not found.cloud.any()


@pytest.mark.shared
def test_half_metre_pictures_under_a_laid_on_cloud(shared):
    found_share, clear_share = [], []
    for tile in ("001", "003", "005", "011", "030"):
        folder = shared / "pairs" / "levir" / "train"
        (before, one), (after, two) = (
            picture(folder / date / f"levir_test_{tile}.webp", 3) for date in "AB"
        )
        clear_share.append(detect_clouds(after, two, RGB, 0.5, before, one).cloud.mean())
        look, cloud, _ = overcast(
            after, [(400, 500), (480, 620)], radius_px=150, soft_px=28, shadow=(240, 180)
        )
        found = detect_clouds(look, two, RGB, 0.5, before, one)
        found_share.append(found.cloud[cloud].mean())
    assert np.mean(found_share) > 0.9
    assert max(clear_share) < 0.005


@pytest.mark.shared
def test_cloudy_dates_of_a_forest(shared):
    """Opaque cloud is found by its neighbours in time; clear dates stay clear."""
    folder = shared / "eo" / "series" / "forest_s2_cloudy"
    clear = ["2017-06-22", "2017-07-07", "2017-09-25", "2018-05-08", "2018-06-27"]
    bands = ("red", "green", "blue", "nir")
    stack = np.stack([picture(folder / f"{date}.tif")[0] for date in clear])
    ground, known = background_from(stack, np.ones((len(clear), 80, 80), bool))
    for date in ("2017-08-06", "2017-09-10", "2017-04-03"):
        look, valid = picture(folder / f"{date}.tif")
        opaque = look[2] - ground[2] > 0.25
        found = detect_clouds(look, valid, bands, 10.0, ground, known)
        assert found.cloud[opaque].mean() > 0.9, date
    for date in ("2018-08-16", "2019-07-02", "2019-12-19"):
        look, valid = picture(folder / f"{date}.tif")
        assert not detect_clouds(look, valid, bands, 10.0, ground, known).cloud.any(), date


@pytest.mark.shared
def test_dull_pictures_of_another_season_are_no_cloud(shared):
    """Farmland and salt lakes, now green, now washed out; nothing white in most of them."""
    paths = sorted((shared / "eo/series/naip_north_dakota_wetlands").glob("*.tif"))
    looks = [picture(path) for path in paths]
    for index, path in enumerate(paths):
        others = [look for i, look in enumerate(looks) if i != index]
        ground, known = background_from(*(np.stack(part) for part in zip(*others, strict=True)))
        bands = ("red", "green", "blue", "nir")
        found = detect_clouds(*looks[index], bands, 5.0, ground, known)
        assert found.cloud.mean() < 0.02, path.name
