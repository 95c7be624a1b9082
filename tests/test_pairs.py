"""Folders of labelled pairs: what is read, what is refused, and how it says so."""

import csv
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image

from groundbreak.errors import DataError
from groundbreak.pairs.index import only_ignored, parse_bands, read_index, read_pair


def make_set(folder: Path, suffix: str = ".png", size: int = 8, **columns: str) -> Path:
    """One pair: before is dark, after bright, a new building in a corner."""
    label = np.zeros((size, size), np.uint8)
    label[:2, :3] = 1
    pictures = {"before": np.full((size, size, 3), 51), "after": np.full((size, size, 3), 102)}
    for name, pixels in pictures.items():
        image = Image.fromarray(pixels.astype(np.uint8))
        options = {"lossless": True} if suffix == ".webp" else {}
        image.save(folder / f"{name}{suffix}", **options)
    Image.fromarray(label).save(folder / "label.png")
    row = {
        "set": "made",
        "split": "train",
        "scene": "one",
        "before": f"before{suffix}",
        "after": f"after{suffix}",
        "label": "label.png",
        **columns,
    }
    write_index(folder, [row])
    return folder


def write_index(folder: Path, rows: list[dict[str, str]]) -> None:
    with (folder / "index.csv").open("w", newline="") as text:
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".jpg"])
def test_reads_pictures(tmp_path: Path, suffix: str) -> None:
    (record,) = read_index(make_set(tmp_path, suffix, gsd_m="0.5"))
    pair = read_pair(record)
    assert pair.bands == ("red", "green", "blue")
    assert pair.gsd_m == 0.5
    assert pair.before.dtype == np.float32
    np.testing.assert_allclose(pair.before, 0.2, atol=0.01)
    np.testing.assert_allclose(pair.after, 0.4, atol=0.01)
    assert (pair.label == 1).sum() == 6
    assert record.name == "made/train/one"


def test_reads_named_bands_of_a_geotiff_and_no_data_becomes_ignore(tmp_path: Path) -> None:
    make_set(tmp_path, bands="B04;B03;B02;B08")
    pixels = np.arange(1, 5, dtype=np.uint16)[:, None, None] * np.full((1, 8, 8), 1000, np.uint16)
    pixels[:, 7, 7] = 0
    for name in ("before", "after"):
        profile = {"driver": "GTiff", "width": 8, "height": 8, "count": 4, "dtype": "uint16"}
        with rasterio.open(tmp_path / f"{name}.tif", "w", nodata=0, **profile) as file:
            file.write(pixels)
    text = (tmp_path / "index.csv").read_text().replace("before.png", "before.tif")
    (tmp_path / "index.csv").write_text(text.replace("after.png", "after.tif"))
    pair = read_pair(read_index(tmp_path)[0])
    assert pair.bands == ("red", "green", "blue", "nir")
    np.testing.assert_allclose(pair.before[:, 0, 0], [0.1, 0.2, 0.3, 0.4])
    assert pair.label[7, 7] == 255
    chosen = pair.select(("nir", "red"))
    np.testing.assert_allclose(chosen.before[:, 0, 0], [0.4, 0.1])
    with pytest.raises(DataError, match=r"swir16: not among the bands red, green, blue, nir"):
        pair.select(("swir16",))


def write_tiffs(folder: Path, pixels: np.ndarray, **options: object) -> Path:
    """The set of ``make_set`` with both dates as GeoTIFF; ``scales``, ``offsets`` go into them."""
    make_set(folder, size=pixels.shape[1])
    stated = {key: options.pop(key) for key in ("scales", "offsets") if key in options}
    profile = {"driver": "GTiff", "dtype": pixels.dtype, "count": len(pixels), **options}
    profile |= {"height": pixels.shape[1], "width": pixels.shape[2]}
    for name in ("before", "after"):
        with rasterio.open(folder / f"{name}.tif", "w", **profile) as file:
            file.write(pixels)
            for key, values in stated.items():
                setattr(file, key, values)
    index = folder / "index.csv"
    index.write_text(index.read_text().replace("before.png", "before.tif"))
    index.write_text(index.read_text().replace("after.png", "after.tif"))
    return folder


def test_pixels_without_data_are_zero(tmp_path: Path) -> None:
    pixels = np.full((3, 8, 8), 2000, np.uint16)
    pixels[:, :4] = 65535
    pair = read_pair(read_index(write_tiffs(tmp_path, pixels, nodata=65535))[0])
    for image in (pair.before, pair.after):
        np.testing.assert_allclose(image[:, 4:], 0.2)
        assert not image[:, :4].any()


def test_the_scale_that_a_file_states_counts(tmp_path: Path) -> None:
    pixels = np.full((3, 8, 8), 10_000, np.uint16)  # Landsat Collection 2
    stated = {"scales": (2.75e-5,) * 3, "offsets": (-0.2,) * 3}
    pair = read_pair(read_index(write_tiffs(tmp_path, pixels, **stated))[0])
    np.testing.assert_allclose(pair.before, 0.075, atol=1e-4)


def test_eight_bits_stretched_to_sixteen_are_recognised(tmp_path: Path) -> None:
    eight = np.random.default_rng(0).integers(20, 90, (3, 8, 8))
    pair = read_pair(read_index(write_tiffs(tmp_path, (eight * 257).astype(np.uint16)))[0])
    np.testing.assert_allclose(pair.before, eight / 255, atol=1e-3)


def test_two_dates_of_one_encoding_have_one_scale(tmp_path: Path) -> None:
    """The darker date alone would pass for reflectance times 10000."""
    eight = np.random.default_rng(0).integers(31, 58, (3, 8, 8))
    eight[:, 0], eight[:, 1] = 1, 200
    write_tiffs(tmp_path, (eight * 257 * 1.15).astype(np.uint16))
    with rasterio.open(tmp_path / "before.tif", "r+") as file:
        file.write((eight * 257 * 0.85).astype(np.uint16))
    pair = read_pair(read_index(tmp_path)[0])
    np.testing.assert_allclose(pair.before, pair.after * 0.85 / 1.15, atol=1e-3)


def test_bands_of_the_later_date_go_by_name(tmp_path: Path) -> None:
    pixels = np.arange(1, 4, dtype=np.uint16)[:, None, None] * np.full((8, 8), 1000, np.uint16)
    write_tiffs(tmp_path, pixels)
    index = tmp_path / "index.csv"
    index.write_text(index.read_text().replace("RGB", ""))
    for name, bands in (("before", "432"), ("after", "234")):
        with rasterio.open(tmp_path / f"{name}.tif", "r+") as file:
            file.write(pixels if name == "before" else pixels[::-1])
            for number, band in enumerate(bands, 1):
                file.set_band_description(number, f"B0{band}")
    pair = read_pair(read_index(tmp_path)[0])
    assert pair.bands == ("red", "green", "blue")
    np.testing.assert_array_equal(pair.before, pair.after)
    with rasterio.open(tmp_path / "after.tif", "r+") as file:
        file.set_band_description(1, "B08")
    with pytest.raises(DataError, match="names its bands"):
        read_pair(read_index(tmp_path)[0])


def test_unlabelled_pairs_are_all_ignore(tmp_path: Path) -> None:
    (record,) = read_index(make_set(tmp_path, label=""))
    assert record.label is None
    assert (read_pair(record).label == 255).all()


@pytest.mark.parametrize(
    ("text", "bands"),
    [
        ("RGB", ("red", "green", "blue")),
        ("RGBN", ("red", "green", "blue", "nir")),
        ("B04;B03;B02;B08", ("red", "green", "blue", "nir")),
        ("red, green ,blue", ("red", "green", "blue")),
        ("", ()),
        ("thermal;red", ("thermal", "red")),
    ],
)
def test_parse_bands(text: str, bands: tuple[str, ...]) -> None:
    assert parse_bands(text) == bands


def test_a_folder_without_index(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no index\.csv"):
        read_index(tmp_path)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"before": "gone.png"}, r"index\.csv:2: before gone\.png does not exist"),
        ({"scene": ""}, r"index\.csv:2: scene is empty"),
        ({"gsd_m": "half"}, r"gsd_m 'half' is not a number"),
        ({"gsd_m": "-1"}, r"gsd_m -1 is not a positive number"),
    ],
)
def test_bad_rows(tmp_path: Path, columns: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_index(make_set(tmp_path, **columns))


def test_a_missing_column(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text("set,split,scene,before,after\n")
    with pytest.raises(DataError, match="has no column label"):
        read_index(tmp_path)


@pytest.mark.parametrize(
    ("gap", "line", "first"), [("", 3, 2), ("\n", 5, 3)], ids=["plain", "blank lines count too"]
)
def test_a_scene_listed_twice(tmp_path: Path, gap: str, line: int, first: int) -> None:
    path = make_set(tmp_path) / "index.csv"
    header, row = path.read_text().splitlines()
    path.write_text(f"{header}\n{gap}{row}\n{gap}{row}\n")
    said = rf"index\.csv:{line}: made/train/one is listed in line {first} too"
    with pytest.raises(DataError, match=said):
        read_index(tmp_path)


@pytest.mark.parametrize("content", ["scène".encode("latin-1"), "set,split".encode("utf-16")])
def test_an_index_in_another_encoding(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "index.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"index\.csv: cannot be read as a CSV file in UTF-8"):
        read_index(tmp_path)


def test_a_label_with_a_palette_holds_its_indices(tmp_path: Path) -> None:
    record = read_index(make_set(tmp_path))[0]
    label = np.arange(64, dtype=np.uint8).reshape(8, 8) % 4
    image = Image.frombytes("P", (8, 8), label.tobytes())
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.save(tmp_path / "label.png")
    np.testing.assert_array_equal(read_pair(record).label, label)


@pytest.mark.parametrize(
    ("values", "told"), [([0, 255], True), ([0], False), ([255], False), ([0, 1, 255], False)]
)
def test_a_mask_of_0_and_255_is_told(values: list[int], told: bool) -> None:
    assert only_ignored(values) == told


def test_sizes_must_agree(tmp_path: Path) -> None:
    make_set(tmp_path, width="8", height="8")
    record = read_index(tmp_path)[0]
    Image.fromarray(np.zeros((8, 9, 3), np.uint8)).save(tmp_path / "after.png")
    with pytest.raises(DataError, match=r"after\.png: is 9 x 8 in 3 bands, its before 8 x 8 in 3"):
        read_pair(record)
    Image.fromarray(np.zeros((8, 9, 3), np.uint8)).save(tmp_path / "before.png")
    with pytest.raises(DataError, match=r"is 9 x 8 in 3 bands, the index says 8 x 8"):
        read_pair(record)


def test_labels_must_fit_and_mean_something(tmp_path: Path) -> None:
    record = read_index(make_set(tmp_path))[0]
    Image.fromarray(np.zeros((4, 8), np.uint8)).save(tmp_path / "label.png")
    with pytest.raises(DataError, match=r"label\.png: is 8 x 4, the images 8 x 8"):
        read_pair(record)
    Image.fromarray(np.full((8, 8), 77, np.uint8)).save(tmp_path / "label.png")
    with pytest.raises(DataError, match=r"label\.png: holds the value 77; known are 0, 1, 2, 3"):
        read_pair(record)


def test_a_broken_picture(tmp_path: Path) -> None:
    record = read_index(make_set(tmp_path))[0]
    (tmp_path / "after.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"after\.png"):
        read_pair(record)


def test_bands_of_the_index_must_be_as_many_as_the_file_has(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has 3 bands, the index names 2"):
        read_pair(read_index(make_set(tmp_path, bands="red;green"))[0])


@pytest.mark.shared
def test_reads_the_real_sets(shared: Path) -> None:
    records = read_index(shared / "pairs")
    first = {}
    for record in records:
        first.setdefault(record.set, record)
    assert {"levir", "mshs_bcd", "mshs_s2", "joplin", "sejong_k3a"} <= set(first)
    for record in first.values():
        if record.set == "mshs_s2":
            pair = read_pair(record)
            assert pair.bands == ("red", "green", "blue", "nir")
            assert pair.before.shape[1:] == record.size == pair.label.shape
