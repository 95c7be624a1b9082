"""Splits that share ground are refused; the plot shows what there is."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from scipy.ndimage import gaussian_filter

from groundbreak.errors import DataError
from groundbreak.pairs.index import PairRecord, read_index, read_pair
from groundbreak.pairs.plot import COLOURS, paint, plot
from groundbreak.pairs.splits import check_splits, find_leaks, fingerprint, refuse_leaks
from groundbreak.types import MaskValue


def ground(seed: int) -> np.ndarray:
    """A picture (128, 256, 3) as smooth as real ones are."""
    rng = np.random.default_rng(seed)
    noise = gaussian_filter(rng.normal(size=(128, 256)), 2)
    grey = 120 + 60 * noise / noise.std()
    return np.clip(grey, 1, 255).astype(np.uint8)[..., None].repeat(3, axis=2)


def write(folder: Path, scenes: dict[str, tuple[str, np.ndarray, np.ndarray]]) -> list[PairRecord]:
    rows = ["set,split,scene,before,after,label"]
    for name, (split, before, after) in scenes.items():
        label = np.zeros(before.shape[:2], np.uint8)
        label[:9, :9] = 2
        for kind, image in (("a", before), ("b", after), ("l", label)):
            Image.fromarray(image).save(folder / f"{name}_{kind}.png")
        rows.append(f"made,{split},{name},{name}_a.png,{name}_b.png,{name}_l.png")
    (folder / "index.csv").write_text("\n".join(rows) + "\n")
    return read_index(folder)


def halves(seed: int) -> tuple[np.ndarray, np.ndarray]:
    whole = ground(seed)
    return whole[:, :128], whole[:, 128:]


def test_different_places_pass(tmp_path: Path) -> None:
    scenes = {
        f"s{k}": ("train" if k < 4 else "test", halves(10 + k)[0], halves(50 + k)[0])
        for k in range(8)
    }
    check_splits(write(tmp_path, scenes))


def test_neighbours_in_two_splits_are_refused(tmp_path: Path) -> None:
    (west_a, east_a), (west_b, east_b) = halves(1), halves(2)
    records = write(tmp_path, {"west": ("train", west_a, west_b), "east": ("test", east_a, east_b)})
    message = r"made: splits share ground: made/train/west and made/test/east: cut side by side"
    with pytest.raises(DataError, match=message):
        check_splits(records)


def test_one_bright_roof_on_both_edges_makes_no_neighbours(tmp_path: Path) -> None:
    scenes = {}
    for name, split, column in (("west", "train", -1), ("east", "test", 0)):
        images = [100 + halves(seed + column)[0] // 8 for seed in (10, 20)]
        for image in images:
            image[60:66, column] = 255
        scenes[name] = (split, *images)
    check_splits(write(tmp_path, scenes))


def test_tiny_scenes_are_not_told_by_their_edges(tmp_path: Path) -> None:
    (west_a, east_a), (west_b, east_b) = halves(1), halves(2)
    check_splits(
        write(
            tmp_path,
            {
                "west": ("train", west_a[:52, -52:], west_b[:52, -52:]),
                "east": ("test", east_a[:52, :52], east_b[:52, :52]),
            },
        )
    )


def test_neighbours_in_one_split_are_welcome(tmp_path: Path) -> None:
    (west_a, east_a), (west_b, east_b) = halves(1), halves(2)
    check_splits(
        write(tmp_path, {"west": ("train", west_a, west_b), "east": ("train", east_a, east_b)})
    )


def test_the_same_picture_in_two_splits_is_refused(tmp_path: Path) -> None:
    one, other, third = (halves(k)[0] for k in (1, 2, 3))
    records = write(tmp_path, {"x": ("train", one, other), "y": ("val", third, one)})
    leaks = find_leaks([fingerprint(r, read_pair(r), r.split) for r in records])
    assert [leak.reason for leak in leaks] == ["the same picture"]


def test_pictures_of_one_colour_are_nobodys(tmp_path: Path) -> None:
    blank = np.zeros((128, 128, 3), np.uint8)
    check_splits(
        write(tmp_path, {"x": ("train", halves(1)[0], blank), "y": ("val", halves(2)[0], blank)})
    )


@pytest.mark.parametrize(
    ("east", "reason"),
    [(64, "their footprints overlap"), (128, "their footprints touch"), (5000, None)],
)
def test_footprints_that_overlap_are_refused(
    tmp_path: Path, east: float, reason: str | None
) -> None:
    # Their edges continue one another; that counts only where no place is known.
    (west_a, east_a), (west_b, east_b) = halves(1), halves(2)
    write(tmp_path, {"x": ("train", west_a, west_b), "y": ("test", east_a, east_b)})
    for name, shift in (("x", 0.0), ("y", east)):
        for kind in ("a", "b"):
            pixels = np.asarray(Image.open(tmp_path / f"{name}_{kind}.png"))
            transform = rasterio.transform.from_origin(500_000 + shift, 5_000_000, 1, 1)
            profile = {"driver": "GTiff", "width": 128, "height": 128, "count": 3}
            profile |= {"dtype": "uint8", "crs": "EPSG:32633", "transform": transform}
            with rasterio.open(tmp_path / f"{name}_{kind}.tif", "w", **profile) as file:
                file.write(np.moveaxis(pixels, 2, 0))
    index = tmp_path / "index.csv"
    index.write_text(index.read_text().replace("_a.png", "_a.tif").replace("_b.png", "_b.tif"))
    prints = [fingerprint(r, read_pair(r), r.split) for r in read_index(tmp_path)]
    assert [found.reason for found in find_leaks(prints)] == ([reason] if reason else [])
    if reason == "their footprints touch":
        refuse_leaks(prints, touching=["made"])


@pytest.mark.shared
def test_the_real_neighbours_are_found(shared: Path) -> None:
    records = [r for r in read_index(shared / "pairs") if r.set == "joplin"]
    leaks = find_leaks([fingerprint(r, read_pair(r), r.split) for r in records])
    # Two of the boxes touch, as their README says: disjoint, but side by side.
    assert [(leak.first.scene, leak.second.scene) for leak in leaks] == [("joplin_ne", "joplin_se")]
    prints = [fingerprint(r, read_pair(r), r.split) for r in records]
    with pytest.raises(DataError, match="cut side by side"):
        refuse_leaks(prints, touching=["levir"])
    refuse_leaks(prints, touching=["joplin"])


def test_the_plot_shows_dates_and_label(tmp_path: Path) -> None:
    records = write(tmp_path, {"x": ("train", halves(1)[0], halves(2)[0])})
    figure = plot(records, tmp_path / "out" / "pairs.png")
    assert len(figure.axes) == 3
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["demolition"]
    with Image.open(tmp_path / "out" / "pairs.png") as image:
        assert image.width > 600


def test_the_label_is_painted_where_it_is() -> None:
    image = np.zeros((4, 4, 3), np.float32)
    label = np.zeros((4, 4), np.uint8)
    label[1, 2] = 1
    painted = paint(image, label)
    assert painted[1, 2].argmax() == np.argmax(COLOURS[MaskValue.NEW_BUILDING])
    assert painted.sum() == painted[1, 2].sum()
