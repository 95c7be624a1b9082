"""Pairs of docking slips made from pictures of ports."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from groundbreak.errors import DataError
from groundbreak.pairs.index import read_index, read_pair
from groundbreak.slipmaking import carve, folder, ground, recipes, ships, structures, weather
from groundbreak.slipmaking.ports import Outline, Port, read_port, rescaled
from groundbreak.slipmaking.water import find_water

BANDS = ("red", "green", "blue", "nir")
LAND = np.array([0.16, 0.14, 0.12, 0.25])[:, None, None]
SEA = np.array([0.03, 0.05, 0.05, 0.015])[:, None, None]


def harbour(seed: int = 0) -> Port:
    """Sea below row 150 of 300, a basin cut into the land, two slips between three piers."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((300, 300))
    water = rows >= 150
    rings = {
        "basin": [(60, 110), (80, 110), (80, 150), (60, 150)],
        "slip-a": [(150, 150), (162, 150), (162, 190), (150, 190)],
        "slip-b": [(167, 150), (179, 150), (179, 190), (167, 190)],
    }
    for left in (145, 162, 179):
        water &= ~((columns >= left) & (columns < left + 5) & (rows < 190))
    outlines = tuple(
        Outline(name, "slip", np.array(ring, dtype=np.float64)) for name, ring in rings.items()
    )
    berths = np.zeros((300, 300), dtype=np.int16)
    for number, outline in enumerate(outlines, start=1):
        berths[outline.mask((300, 300))] = number
    water |= berths == 1
    grain = ndimage.gaussian_filter(rng.standard_normal((300, 300)), 0.8) * 0.35
    pixels = np.where(water, SEA * (1 + 0.1 * grain), LAND * (1 + grain)).astype(np.float32)
    valid = np.ones((300, 300), dtype=bool)
    return Port("harbour", pixels, BANDS, 10.0, valid, water, outlines, berths)


def whole(port: Port) -> structures.View:
    return recipes._cut_out(port, (slice(0, 300), slice(0, 300)))


def fine_energy(pixels: np.ndarray, mask: np.ndarray) -> float:
    """Variance of what a pixel has beyond its neighbours, inside a mask."""
    grey = pixels[:3].mean(axis=0)
    return float((grey - ndimage.uniform_filter(grey, 3))[mask].var())


@pytest.mark.parametrize("fill", [ground.fill_by_patch, ground.fill_smooth])
def test_a_filled_berth_is_ground_up_to_the_pier_heads_and_nothing_else_is_touched(fill) -> None:
    port = harbour()
    view = whole(port)
    edit = structures.fill_berths(np.random.default_rng(1), view, [1], fill)
    berth = port.berths == 1
    inner = ndimage.binary_erosion(berth, iterations=2)
    assert edit.pixels[3][inner].mean() == pytest.approx(0.25, rel=0.25)
    assert (edit.new == berth).all()
    touched = np.abs(edit.pixels - port.pixels).max(axis=0) > 1e-6
    assert not touched[153:].any(), "the sea before the mouth was filled"
    assert not touched[ndimage.distance_transform_edt(~berth) > 7].any()
    assert not (touched & ~ndimage.binary_dilation(edit.new | edit.unsure)).any()


def test_filled_ground_has_the_grain_of_the_ground_around_it() -> None:
    port = harbour()
    inner = ndimage.binary_erosion(port.berths == 1, iterations=3)
    around = np.zeros((300, 300), dtype=bool)
    around[100:140, 20:55] = True
    truth = fine_energy(port.pixels, around)
    for fill in (ground.fill_by_patch, ground.fill_smooth):
        edit = structures.fill_berths(np.random.default_rng(2), whole(port), [1], fill)
        assert 0.5 < fine_energy(edit.pixels, inner) / truth < 1.6, fill.__name__


def test_the_two_fillings_differ() -> None:
    port = harbour()
    first, second = (
        structures.fill_berths(np.random.default_rng(2), whole(port), [1], fill).pixels
        for fill in (ground.fill_by_patch, ground.fill_smooth)
    )
    inner = ndimage.binary_erosion(port.berths == 1, iterations=3)
    assert abs(np.corrcoef(first[0][inner], second[0][inner])[0, 1]) < 0.5


def test_piers_are_taken_away_with_the_berths_between_them() -> None:
    port = harbour()
    edit = structures.remove_piers(
        np.random.default_rng(0), whole(port), [2, 3], ground.fill_by_patch
    )
    assert edit is not None
    piers = ~port.water & (np.indices((300, 300))[0] > 154)
    assert edit.water[piers].mean() > 0.95
    assert edit.pixels[3][piers].mean() < 0.05
    assert (edit.new == np.isin(port.berths, (2, 3))).all()
    assert edit.unsure[piers].mean() > 0.95
    assert (edit.pixels[:, :140] == port.pixels[:, :140]).all()


def test_a_basin_in_the_land_has_no_piers_to_take_away() -> None:
    view = whole(harbour())
    assert (
        structures.remove_piers(np.random.default_rng(0), view, [1], ground.fill_by_patch) is None
    )


def test_a_cut_berth_is_new_water_that_opens_to_the_sea() -> None:
    port = harbour()
    for seed in range(4):
        edit = carve.cut_berth(np.random.default_rng(seed), whole(port), ground.fill_by_patch)
        assert not port.water[edit.new].any()
        inner = ndimage.binary_erosion(edit.new)
        assert np.median(edit.pixels[3][inner]) < 0.06
        parts, count = ndimage.label(edit.new)
        open_to = np.unique(parts[ndimage.binary_dilation(port.water, iterations=2)])
        assert set(range(1, count + 1)) <= set(open_to.tolist())


def test_water_between_built_piers_is_a_berth() -> None:
    port = harbour()
    edit = carve.build_piers(np.random.default_rng(3), whole(port))
    assert port.water[edit.new].all()
    assert edit.water[edit.new].all()
    decks = port.water & ~edit.water
    assert edit.pixels[3][decks].mean() > 0.1
    assert not (edit.new & ndimage.binary_dilation(port.berths > 0, iterations=3)).any()


@pytest.mark.parametrize("recipe", recipes.RECIPES)
def test_every_recipe_labels_berths_or_nothing(recipe: str) -> None:
    port = harbour()
    pair = first_pair(port, recipe)
    values = set(np.unique(pair.label).tolist())
    assert (3 in values) == (recipe in ("filled", "piers", "cut", "built"))
    assert values <= {0, 3, 255}
    for image in (pair.before, pair.after):
        assert image.shape == (4, 160, 160)
        assert image.dtype == np.float32
        assert image.min() >= 0.0
        assert image.max() <= 1.0
    assert not np.array_equal(pair.before, pair.after)


def first_pair(port: Port, recipe: str) -> recipes.SlipPair:
    for seed in range(30):
        try:
            return recipes.make_pair(
                np.random.default_rng(seed), port, recipe, 160, ground.fill_by_patch
            )
        except ValueError:
            continue
    raise AssertionError(f"no {recipe} in thirty tries")


def test_a_seed_makes_the_same_pair() -> None:
    port = harbour()
    again = [first_pair(port, "filled") for _ in range(2)]
    assert np.array_equal(again[0].before, again[1].before)
    assert np.array_equal(again[0].after, again[1].after)


def test_the_trace_of_editing_is_in_silent_pairs_too() -> None:
    """Where both dates are filled alike, the fine grain is that of the fillings that count."""
    port = harbour()
    inner = ndimage.binary_erosion(port.berths == 1, iterations=3)
    energies: dict[str, list[float]] = {"counts": [], "silent": []}
    only_basin = np.where(port.berths == 1, port.berths, 0).astype(np.int16)
    view = replace(whole(port), berths=only_basin)
    for seed in range(6, 13):
        edit = recipes._edited(np.random.default_rng([9, seed]), view, ground.fill_by_patch)
        if (edit.new & (port.berths == 1)).any():
            energies["silent"].append(fine_energy(edit.pixels, inner))
        edit = structures.fill_berths(np.random.default_rng(seed), view, [1], ground.fill_by_patch)
        energies["counts"].append(fine_energy(edit.pixels, inner))
    assert len(energies["silent"]) > 2, "too few edited places among the silent ones"
    ratio = np.median(energies["silent"]) / np.median(energies["counts"])
    assert 0.7 < ratio < 1.4


def test_tide_moves_the_waterline_both_ways() -> None:
    port = harbour()
    for px, more in ((3.0, True), (-3.0, False)):
        _, water = weather.tide(np.random.default_rng(0), port.pixels, port.water, px)
        assert (water.sum() > port.water.sum()) == more
        moved = water ^ port.water
        shore = ndimage.distance_transform_edt(port.water) + ndimage.distance_transform_edt(
            ~port.water
        )
        assert shore[moved].max() < 5


def test_a_ship_is_drawn_where_it_lies_and_as_long_as_it_is() -> None:
    port = harbour()
    ship = ships.Ship(x=220.0, y=240.0, heading=0.0, length=30.0)
    drawn = ships.draw_ship(np.random.default_rng(0), port.pixels, ship, 0.4)
    rows, columns = np.nonzero(np.abs(drawn - port.pixels).max(axis=0) > 0.01)
    assert np.ptp(columns) + 1 == pytest.approx(30, abs=2)
    assert np.ptp(rows) + 1 < 8
    assert (columns.min() + columns.max() + 1) / 2 == pytest.approx(220, abs=1)
    assert (rows.min() + rows.max() + 1) / 2 == pytest.approx(240, abs=1)


def test_water_is_told_by_index_and_by_colour() -> None:
    port = harbour()
    by_index = find_water(port.pixels, BANDS, port.valid, port.berths > 0)
    by_colour = find_water(port.pixels[:3], BANDS[:3], port.valid, port.berths > 0)
    for found in (by_index, by_colour):
        assert (found != port.water).mean() < 0.03


def test_ports_keep_to_one_split() -> None:
    names = [name for split in folder.SPLITS.values() for name in split]
    assert len(names) == len(set(names))
    for split in folder.SPLITS.values():
        assert ("san_francisco" in split) == ("sanfrancisco_ps3m" in split)
        assert ("longbeach_ps3m" in split) == ("longbeach_east_ps3m" in split)
    assert folder.FILLS["test"] is not folder.FILLS["train"]


def test_a_written_set_reads_as_any_other(tmp_path: Path) -> None:
    made = list(folder.make_pairs([harbour()], folder.SLIPS_S2, "train", 3, seed=5))
    rows = [folder.write_pair(tmp_path, folder.SLIPS_S2, "train", *pair) for pair in made]
    folder.add_to_index(tmp_path, rows)
    folder.add_to_index(tmp_path, rows)  # again: replaced, not doubled
    records = read_index(tmp_path)
    assert [record.scene for record in records] == [scene for scene, _ in made]
    pair = read_pair(records[0])
    assert pair.bands == BANDS
    assert pair.gsd_m == 10.0
    assert np.abs(pair.after - made[0][1].after).max() < 1e-4
    known = pair.label != 255
    assert np.array_equal(pair.label[known], made[0][1].label[known])


def test_every_recipe_is_made_of_every_port() -> None:
    """The draw of the port does not follow from that of the recipe."""
    ports = [replace(harbour(), name=name) for name in ("east", "west")]
    made = list(folder.make_pairs(ports, folder.SLIPS_S2, "test", 12, seed=2))
    pairs = {(pair.recipe, pair.port) for _, pair in made}
    assert {port for recipe, port in pairs if recipe == "filled"} == {"east", "west"}
    assert {recipe for recipe, port in pairs if port == "east"} > {"filled"}


def test_only_the_recipes_asked_for_are_made() -> None:
    asked = ["piers", "built"]
    made = list(folder.make_pairs([harbour()], folder.SLIPS_S2, "train", 8, 3, asked))
    assert {pair.recipe for _, pair in made} == set(asked)
    with pytest.raises(DataError, match="no pairs of mole"):  # judged are real berths alone
        list(folder.make_pairs([harbour()], folder.SLIPS_S2, "test", 1, 3, ["mole"]))


def test_a_folder_without_outlines_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="outlines"):
        read_port(tmp_path)


@pytest.mark.shared
def test_real_ports_are_read_at_their_ground_size(shared: Path) -> None:
    port = read_port(shared / "eo" / "ports" / "honolulu", BANDS)
    assert port.gsd_m == pytest.approx(9.31, abs=0.05)
    assert len(port.numbers()) == 9
    inside = port.water[port.berths > 0].mean()
    assert inside > 0.6
    finer = rescaled(port, 5.0)
    assert finer.shape[0] == pytest.approx(port.shape[0] * port.gsd_m / 5, abs=1)
    assert (finer.berths > 0).mean() == pytest.approx((port.berths > 0).mean(), rel=0.05)


@pytest.mark.shared
def test_a_real_port_makes_a_pair(shared: Path) -> None:
    port = read_port(shared / "eo" / "ports" / "honolulu", BANDS)
    pair = first_pair(port, "filled")
    new = pair.label == 3
    assert new.sum() > 20
    # Ground reflects near infrared, water does not, whatever the light of the date.
    assert np.median(pair.before[3][new]) > 1.5 * np.median(pair.after[3][new])


def test_exposing_a_port_never_makes_black_bays_of_dark_water() -> None:
    dark = np.where(harbour().water, 0.012, 0.15) * np.ones((4, 1, 1))
    for seed in range(40):
        out = weather.expose(np.random.default_rng(seed), dark.astype(np.float32), noise=0.0)
        assert (out == 0).mean() < 0.001


def test_sandbanks_leave_most_of_the_water() -> None:
    port = harbour()
    for seed in range(30):
        out = weather.cover(np.random.default_rng(seed), port.pixels, port.water)
        changed = np.abs(out - port.pixels).max(axis=0) > 0.05
        assert (changed & port.water).sum() < 0.2 * port.water.sum()


def test_no_date_is_told_by_its_blur() -> None:
    """Both dates are resampled by half of the shift."""
    port = harbour()
    before, after = [], []
    for seed in range(30):
        pair = recipes.silent_pair(np.random.default_rng(seed), port, ground.fill_by_patch)
        land = ndimage.binary_erosion(~port.water, iterations=6)
        for pixels, grain in ((pair.before, before), (pair.after, after)):
            grain.append(fine_energy(pixels, land) / pixels[:3].mean(axis=0)[land].var())
    sharper = np.mean(np.array(before) > np.array(after))
    assert 0.3 < sharper < 0.7


def test_either_date_may_have_repainted_water(monkeypatch: pytest.MonkeyPatch) -> None:
    port = harbour()
    view = whole(port)
    none = np.zeros(port.shape, bool)
    same = structures.Edit(view.pixels, view.water, none, none)
    monkeypatch.setattr(recipes, "repaint_water", lambda _rng, there, _fill: there.pixels + 1)
    painted = [
        recipes._repainted(np.random.default_rng(seed), view, same, same, ground.fill_by_patch)
        for seed in range(20)
    ]
    earlier = sum(before.pixels is not view.pixels for before, _ in painted)
    assert 3 < earlier < 17


def test_a_basin_must_meet_water_in_every_part() -> None:
    water = np.zeros((20, 20), bool)
    water[15:] = True
    new = np.zeros_like(water)
    new[10:15, 3:6] = True
    assert carve._opens(new, water)
    new[2:6, 12:16] = True
    assert not carve._opens(new, water)
    assert not carve._opens(np.zeros_like(water), water)
