"""Folders of rasters: grouped by product, dated, placed, their bands named; or left out."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image as Picture
from rasterio.enums import ColorInterp

from groundbreak.catalog.intact import cut_short
from groundbreak.catalog.names import place
from groundbreak.catalog.scan import ScanResult, scan_folder
from groundbreak.errors import CatalogError

UTM = Affine(10, 0, 339510, 0, -10, 6047250)


def write(
    path: Path,
    count: int = 3,
    dtype: str = "uint8",
    *,
    transform: Affine | None = UTM,
    crs: str | None = "EPSG:32634",
    size: tuple[int, int] = (8, 10),
    tags: dict | None = None,
    names: list[str] | None = None,
    colours: list[ColorInterp] | None = None,
    **profile,
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = size
    placed = {"transform": transform, "crs": crs} if transform is not None else {}
    driver = "JP2OpenJPEG" if path.suffix == ".jp2" else "GTiff"
    with rasterio.open(
        path,
        "w",
        driver=driver,
        width=width,
        height=height,
        count=count,
        dtype=dtype,
        **placed,
        **profile,
    ) as dataset:
        if colours:
            dataset.colorinterp = colours
        dataset.write(np.ones((count, height, width), dtype))
        dataset.update_tags(**(tags or {}))
        for index, name in enumerate(names or (), start=1):
            dataset.set_band_description(index, name)
    return path


def bands(item, key="image") -> list[tuple]:
    listed = item.assets[key].extra_fields["eo:bands"]
    return [(band["name"], band.get("common_name")) for band in listed]


def time(item) -> str:
    return item.datetime.strftime("%Y-%m-%dT%H:%M:%SZ")


def reasons(result: ScanResult) -> dict[str, str]:
    return {refusal.subject: refusal.reason for refusal in result.refused}


def listing(folder: Path, *rows: str, header: str = "file,date") -> Path:
    path = folder / "dates.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


class TestOtherFormats:
    @pytest.fixture
    def folder(self, tmp_path):
        for name in ("S2A.SAFE.zip", "b.tar", "c.ntf", "notes.txt"):
            (tmp_path / name).write_bytes(b"x")
        return tmp_path

    def test_are_noted(self, folder):
        write(folder / "2024-01-01.tif")
        found = scan_folder(folder)
        assert [note for note in found.notes if "format" in note or "unpacked" in note] == [
            "2 files not unpacked, so not looked into (unpack what holds images), the first "
            "S2A.SAFE.zip",
            "1 file in a format that is not read (make GeoTIFFs with gdal_translate), the first "
            "c.ntf",
        ]
        assert found.refused == ()

    def test_are_named_where_nothing_is_left(self, folder):
        with pytest.raises(CatalogError, match=r"unpack what holds images.*S2A\.SAFE"):
            scan_folder(folder)

    def test_what_dates_csv_does_not_list_is_not(self, folder):
        write(folder / "a.tif")
        listing(folder, "a.tif,2024-01-01")
        assert not any("unpacked" in note for note in scan_folder(folder).notes)


BROWSER = "2024-01-05-00-00_2024-01-05-23-59_Sentinel-2_L2A_"


class TestUnnatural:
    """Pictures in red, green and blue that are none of the ground's colours."""

    @pytest.mark.parametrize(
        ("name", "shown"),
        [
            (f"{BROWSER}False_color.tiff", "the layer False color"),
            (f"{BROWSER}Scene_classification_map_.tiff", "the layer Scene classification map"),
            ("S1A_IW_GRDH_1SDV_20240107T095515_20240107T095540_052003_0648C4_RGB.tif", "radar"),
            ("2024-01-07_VV_VH_ratio.tif", "radar"),
            ("m_3807511_ne_18_060_20190626_CIR.tif", "false colours"),
            ("port_false-colour_2024-03-01.tif", "false colours"),
            ("2024-03-01_swir.tif", "false colours"),
            ("2024-03-01_NDVI.tif", "an index"),
            ("2024-03-01_hillshade.tif", "the terrain"),
            ("2024-03-01_DSM.tif", "the terrain"),
            ("2024-03-01_lulc.tif", "classes"),
        ],
    )
    def test_are_left_out(self, tmp_path, name, shown):
        write(tmp_path / name)
        write(tmp_path / "2024-01-01.tif")
        found = scan_folder(tmp_path)
        assert [item.id for item in found.items] == ["2024-01-01"]
        assert reasons(found)[name].startswith(f"shows {shown} by its name")

    @pytest.mark.parametrize(
        "name",
        [
            f"{BROWSER}True_color.tiff",
            f"{BROWSER}Highlight_Optimized_Natural_Color.tiff",
            "Sar_e_Pol_2024-03-01.tif",
            "Demirci_2024-03-01.tif",
            "2024-03-01_RGB_NDVI_site.tif",
        ],
    )
    def test_other_names_say_nothing(self, tmp_path, name):
        write(tmp_path / name)
        assert len(scan_folder(tmp_path).items) == 1

    def test_bands_that_are_named_otherwise_are_believed(self, tmp_path):
        write(tmp_path / "2024-03-01_CIR.tif", names=["nir", "red", "green"])
        write(tmp_path / "2024-03-02_RGB_NIR_SWIR.tif", 5)
        write(tmp_path / "2024-03-03_NDVI.tif", 1)
        assert reasons(scan_folder(tmp_path)) == {}

    def test_the_user_knows_better(self, tmp_path):
        write(tmp_path / "2024-03-01_CIR.tif")
        row = "2024-03-01_CIR.tif,2024-03-01,red green blue"
        dates = listing(tmp_path, row, header="file,date,bands")
        assert len(scan_folder(tmp_path, dates).items) == 1


class TestScenes:
    def test_one_file(self, tmp_path):
        write(tmp_path / "north" / "2019-05-03.tif", 4, "uint16", nodata=0)
        (item,) = scan_folder(tmp_path).items
        assert item.id == "north_2019-05-03"
        assert item.assets["image"].href == str(tmp_path / "north" / "2019-05-03.tif")
        assert item.properties["start_datetime"] == "2019-05-03T00:00:00Z"
        assert item.properties["end_datetime"] == "2019-05-03T23:59:59Z"
        assert item.datetime is not None
        fields = item.assets["image"].extra_fields
        assert fields["proj:code"] == "EPSG:32634"
        assert fields["proj:shape"] == [8, 10]
        assert fields["proj:transform"] == list(UTM)[:6]
        assert fields["raster:bands"] == [{"data_type": "uint16", "nodata": 0.0}] * 4
        assert item.properties["gsd"] == pytest.approx(10, abs=0.01)

    def test_a_year_is_the_whole_year(self, tmp_path):
        write(tmp_path / "2018.tif", tags={"ACQUISITION_DATE": "2018", "DATE_PRECISION": "year"})
        (item,) = scan_folder(tmp_path).items
        assert item.datetime is None
        assert item.properties["start_datetime"] == "2018-01-01T00:00:00Z"
        assert item.properties["end_datetime"] == "2018-12-31T23:59:59Z"

    def test_scale_and_offset_are_kept(self, tmp_path):
        path = write(tmp_path / "2019-05-03.tif", 3, "uint16")
        with rasterio.open(path, "r+") as dataset:
            dataset.scales, dataset.offsets = (1e-4,) * 3, (-0.1,) * 3
        (item,) = scan_folder(tmp_path).items
        band = item.assets["image"].extra_fields["raster:bands"][0]
        assert (band["scale"], band["offset"]) == (1e-4, -0.1)

    def test_nodata_nan_is_json(self, tmp_path):
        write(tmp_path / "2019-05-03.tif", 3, "float32", nodata=np.nan)
        (item,) = scan_folder(tmp_path).items
        json.dumps(item.to_dict(), allow_nan=False)
        assert item.assets["image"].extra_fields["raster:bands"][0]["nodata"] == "nan"

    def test_ground_size_of_degrees_and_web_mercator(self, tmp_path):
        degrees = Affine(1e-4, 0, 18.5, 0, -1e-4, 60.0)
        write(tmp_path / "2019-05-03.tif", transform=degrees, crs="EPSG:4326")
        mercator = Affine(10, 0, 2059490, 0, -10, 8399737)  # 18.5 E, 60 N
        write(tmp_path / "2019-05-04.tif", transform=mercator, crs="EPSG:3857")
        first, second = scan_folder(tmp_path).items
        assert first.properties["gsd"] == pytest.approx(np.sqrt(11.14 * 5.58), rel=0.01)
        assert second.properties["gsd"] == pytest.approx(5.0, rel=0.01)

    def test_a_footprint_across_the_antimeridian_is_cut(self, tmp_path):
        write(
            tmp_path / "2019-05-03.tif",
            transform=Affine(0.1, 0, 179.5, 0, -0.1, 10),
            crs="EPSG:4326",
        )
        (item,) = scan_folder(tmp_path).items
        assert item.geometry["type"] == "MultiPolygon"
        assert item.bbox == pytest.approx([179.5, 9.2, -179.5, 10.0])

    def test_by_time(self, tmp_path):
        for name in ("b_2019-05-03", "a_2021", "c_2018-01"):
            write(tmp_path / f"{name}.tif")
        assert [i.id for i in scan_folder(tmp_path).items] == [
            "c_2018-01",
            "b_2019-05-03",
            "a_2021",
        ]

    def test_never_by_modification_time(self, tmp_path):
        write(tmp_path / "harbour.tif")
        with pytest.raises(CatalogError, match=r"no scene is left.*harbour.tif has no date"):
            scan_folder(tmp_path)

    def test_a_sidecar_tells_the_time_and_more(self, tmp_path):
        write(tmp_path / "harbour.tif")
        sidecar = {
            "stac_version": "1.0.0",
            "properties": {"datetime": "2019-05-03T10:51:53Z", "eo:cloud_cover": 12},
        }
        (tmp_path / "harbour.json").write_text(json.dumps(sidecar))
        (item,) = scan_folder(tmp_path).items
        assert time(item) == "2019-05-03T10:51:53Z"
        assert item.properties["eo:cloud_cover"] == 12
        assert item.properties["groundbreak:date_source"] == "STAC item"

    def test_the_time_of_the_tiff_standard_comes_last_and_is_noted(self, tmp_path):
        tags = {"TIFFTAG_DATETIME": "2022:01:17 10:43:43"}
        write(tmp_path / "a.tif", tags=tags)
        write(tmp_path / "b_2019-05-03.tif", tags=tags)
        result = scan_folder(tmp_path)
        assert [time(i)[:10] for i in result.items] == ["2019-05-03", "2022-01-17"]
        assert any("TIFFTAG_DATETIME" in note for note in result.notes)


class TestBands:
    @pytest.mark.parametrize(
        ("count", "expected"),
        [
            (3, ["red", "green", "blue"]),
            (4, ["red", "green", "blue", "nir"]),
            (5, ["red", "green", "blue", "nir", "swir16"]),
        ],
    )
    def test_unnamed_bands_are_taken_by_their_number_with_a_note(self, tmp_path, count, expected):
        write(tmp_path / "2019-05-03.tif", count, "uint16", colours=[ColorInterp.gray] * count)
        result = scan_folder(tmp_path)
        assert [common for _, common in bands(result.items[0])] == expected
        assert "the bands have no names: taken as red, green, blue" in result.notes[0]

    def test_what_detect_cannot_use_is_noted(self, tmp_path):
        write(tmp_path / "2019-05-03.tif", 1)
        write(tmp_path / "2020-05-03.tif", 1)
        write(tmp_path / "2021-05-03.tif", 1, names=["pan"])
        write(tmp_path / "2022-05-03.tif", 2, names=["red", "nir"])
        write(tmp_path / "2023-05-03.tif", 3)
        found = scan_folder(tmp_path)
        assert len(found.items) == 5  # for other programs they may be of use
        assert [note for note in found.notes if "of no use" in note] == [
            "2 scenes of no use to detect, the first 2019-05-03.tif: no red, green, blue band, but "
            "one without a name (of a panchromatic picture name it 'pan' in dates.csv)",
            "1 scene of no use to detect, the first 2022-05-03.tif: no green, blue band",
        ]

    @pytest.mark.parametrize(
        ("names", "tags", "expected"),
        [
            (["B04", "B03", "B02", "B08"], {}, ["red", "green", "blue", "nir"]),
            (["red B4", "Green", "BLUE", "nir B8A"], {}, ["red", "green", "blue", "nir"]),
            (
                ["B4", "B3", "B2", "B5"],
                {"SENSOR": "Landsat 8 OLI"},
                ["red", "green", "blue", "nir08"],
            ),
            (
                ["B3", "B2", "B1", "B4"],
                {"SENSOR": "Landsat 5 TM"},
                ["red", "green", "blue", "nir08"],
            ),
            (
                ["swir1_as_red", "nir_as_green", "red_as_blue", "band4"],
                {},
                ["swir16", "nir", "red", None],
            ),
        ],
    )
    def test_names_in_the_file(self, tmp_path, names, tags, expected):
        write(tmp_path / "2019-05-03.tif", 4, "uint16", names=names, tags=tags)
        (item,) = scan_folder(tmp_path).items
        assert bands(item) == list(zip(names, expected, strict=True))

    def test_colours_and_alpha(self, tmp_path):
        colours = [ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.alpha]
        write(tmp_path / "2019-05-03.tif", 4, "uint16", colours=colours)
        (item,) = scan_folder(tmp_path).items
        assert [common for _, common in bands(item)] == ["blue", "green", "red"]

    def test_the_listing_wins(self, tmp_path):
        write(tmp_path / "a.tif", 4, "uint16", names=["one", "two", "three", "four"])
        write(tmp_path / "b.tif", 3)
        listing(tmp_path, "a.tif,2019,B02;B03;B04;B08", "b.tif,2020,BGR", header="file,date,bands")
        first, second = scan_folder(tmp_path).items
        assert [common for _, common in bands(first)] == ["blue", "green", "red", "nir"]
        assert [common for _, common in bands(second)] == ["blue", "green", "red"]

    def test_planet_has_blue_first(self, tmp_path):
        grays = [ColorInterp.gray] * 8
        name = "20220126_020951_12_2463_3B_AnalyticMS"
        write(tmp_path / f"{name}.tif", 4, "uint16", colours=grays[:4])
        write(
            tmp_path / "20220127_020951_12_2463_3B_AnalyticMS_SR_8b.tif", 8, "uint16", colours=grays
        )
        four, eight = scan_folder(tmp_path).items
        assert [c for _, c in bands(four)] == ["blue", "green", "red", "nir"]
        assert [c for _, c in bands(eight)][5] == "red"

    def test_a_mask_inside_the_file(self, tmp_path):
        write(tmp_path / "2019-05-03.tif", 4, "uint16", names=["B4", "B3", "B2", "BQA"])
        (item,) = scan_folder(tmp_path).items
        assert bands(item)[3] == ("BQA", None)


class TestProducts:
    SAFE = "S2B_MSIL2A_20220126T020951_N0400_R103_T52SFA_20220126T042309.SAFE"
    GRANULE = f"{SAFE}/GRANULE/L2A_T52SFA_A025533_20220126T021003"
    TILE = "T52SFA_20220126T020951"

    def test_sentinel2_in_its_folders(self, tmp_path):
        images = tmp_path / self.GRANULE / "IMG_DATA"
        twenty = Affine(20, 0, 339510, 0, -20, 6047250)
        for name in ("B02", "B03", "B04", "B08"):
            write(images / "R10m" / f"{self.TILE}_{name}_10m.tif", 1, "uint16")
        for name in ("B04", "B11", "SCL"):
            write(images / "R20m" / f"{self.TILE}_{name}_20m.tif", 1, "uint16", transform=twenty)
        write(images / "R10m" / f"{self.TILE}_TCI_10m.tif", 3)
        write(images / "R10m" / f"{self.TILE}_AOT_10m.tif", 1, "uint16")
        write(tmp_path / self.GRANULE / "QI_DATA" / "MSK_CLDPRB_20m.tif", 1)
        result = scan_folder(tmp_path)
        (item,) = result.items
        assert item.id == f"{self.SAFE.removesuffix('.SAFE')}_{self.TILE}"
        assert sorted(item.assets) == ["B02", "B03", "B04", "B08", "B11", "scl"]
        assert "R10m" in item.assets["B04"].href
        assert bands(item, "B04") == [("B04", "red")]
        assert item.assets["scl"].extra_fields["groundbreak:mask"] == "scl"
        assert item.properties["s2:processing_baseline"] == "04.00"
        assert item.properties["platform"] == "sentinel-2b"
        assert time(item) == "2022-01-26T02:09:51Z"
        assert item.properties["gsd"] == pytest.approx(10, abs=0.01)
        assert not result.refused
        assert len(result.notes) == 2  # two auxiliary files; TCI and the coarser B04

    def test_a_true_colour_picture_alone_is_a_scene(self, tmp_path):
        write(tmp_path / f"{self.TILE}_TCI_10m.jp2", 3)
        (item,) = scan_folder(tmp_path).items
        assert item.id == f"{self.TILE}_TCI_10m"
        assert [c for _, c in bands(item)] == ["red", "green", "blue"]

    def test_landsat_surface_reflectance(self, tmp_path):
        stem = "LC08_L2SP_116034_20220126_20220204_02_T1"
        for name in ("SR_B2", "SR_B3", "SR_B4", "SR_B5", "QA_PIXEL", "ST_B10", "QA_RADSAT"):
            write(tmp_path / f"{stem}_{name}.TIF", 1, "uint16")
        (item,) = scan_folder(tmp_path).items
        assert item.id == stem
        assert sorted(item.assets) == ["SR_B2", "SR_B3", "SR_B4", "SR_B5", "qa_pixel"]
        assert bands(item, "SR_B5") == [("SR_B5", "nir08")]
        (band,) = item.assets["SR_B4"].extra_fields["raster:bands"]
        assert (band["scale"], band["offset"], band["nodata"]) == (2.75e-5, -0.2, 0.0)

    def test_landsat5_has_other_numbers(self, tmp_path):
        stem = "LT05_L2SP_116034_19951103_20200101_02_T1"
        for name in ("SR_B1", "SR_B2", "SR_B3"):
            write(tmp_path / f"{stem}_{name}.TIF", 1, "uint16")
        (item,) = scan_folder(tmp_path).items
        assert bands(item, "SR_B3") == [("SR_B3", "red")]

    def test_planet_with_its_mask(self, tmp_path):
        stem = "20220126_020951_12_2463_3B"
        write(tmp_path / f"{stem}_AnalyticMS_SR.tif", 4, "uint16")
        write(tmp_path / f"{stem}_Visual.tif", 3)
        write(tmp_path / f"{stem}_udm2.tif", 8)
        write(tmp_path / f"{stem}_AnalyticMS_DN_udm.tif", 1)
        (item,) = scan_folder(tmp_path).items
        assert item.id == f"{stem}_AnalyticMS_SR"
        assert sorted(item.assets) == ["image", "udm2"]

    def test_hls(self, tmp_path):
        stem = "HLS.L30.T11SPC.2021203T181846.v2.0"
        for name in ("B02", "B03", "B04", "B05", "Fmask"):
            write(tmp_path / f"{stem}.{name}.tif", 1, "int16")
        (item,) = scan_folder(tmp_path).items
        assert item.id == stem
        assert bands(item, "B05") == [("B05", "nir08")]
        assert item.assets["fmask"].extra_fields["groundbreak:mask"] == "fmask"
        assert time(item) == "2021-07-22T18:18:46Z"

    def test_maxar_by_its_folder(self, tmp_path):
        write(
            tmp_path / "ard" / "04" / "120200201230" / "2022-03-01" / "10300100CF3D1B00-visual.tif"
        )
        (item,) = scan_folder(tmp_path).items
        assert item.properties["start_datetime"] == "2022-03-01T00:00:00Z"

    def test_bands_in_the_folder_of_a_scene(self, tmp_path):
        folder = tmp_path / "S2B_52SFA_20220126_0_L2A"
        for name in ("B02", "B03", "B04", "SCL"):
            write(folder / f"{name}.tif", 1, "uint16")
        (item,) = scan_folder(tmp_path).items
        assert item.id == "S2B_52SFA_20220126_0_L2A"
        assert sorted(item.assets) == ["B02", "B03", "B04", "scl"]

    def test_a_picture_that_is_named_like_a_band(self, tmp_path):
        for name in ("site_2019-05-03_blue", "site_2019-05-03_red"):
            write(tmp_path / f"{name}.tif", 3)
        assert len(scan_folder(tmp_path).items) == 2

    def test_pictures_of_other_days_are_scenes_of_their_own(self, tmp_path):
        write(tmp_path / "site.tif", tags={"ACQUISITION_DATE": "2019-05-03"})
        write(tmp_path / "site_visual.tif", tags={"ACQUISITION_DATE": "2019-05-03"})
        write(tmp_path / "site_RGB.tif", tags={"ACQUISITION_DATE": "2020-05-03"})
        result = scan_folder(tmp_path)
        assert [item.id for item in result.items] == ["site", "site_RGB"]
        assert "site_visual.tif" in result.notes[0]

    @pytest.mark.parametrize("mask", ["clm", "CLM", "udm2", "SCL", "QA_PIXEL", "BQA", "Fmask"])
    def test_masks_by_name_in_any_case(self, tmp_path, mask):
        write(tmp_path / "2019-05-03_RGB.tif")
        write(tmp_path / f"2019-05-03_RGB_{mask}.tif", 1)
        (item,) = scan_folder(tmp_path).items
        assert sorted(item.assets) == sorted(["image", mask.lower()])

    def test_a_mask_without_a_scene_is_noted(self, tmp_path):
        write(tmp_path / "2019-05-03.tif")
        write(tmp_path / "2019-05-04_clm.tif", 1)
        result = scan_folder(tmp_path)
        assert [item.id for item in result.items] == ["2019-05-03"]
        assert result.notes == ("1 mask without a scene, the first 2019-05-04_clm.tif",)

    def test_files_of_different_days_are_no_product(self, tmp_path):
        for name, date in (("red", "2019-05-03"), ("green", "2019-05-04"), ("blue", "2019-06-01")):
            write(tmp_path / f"site_{name}.tif", 1, "uint16", tags={"ACQUISITION_DATE": date})
        write(tmp_path / "2019.tif")
        result = scan_folder(tmp_path)
        assert [item.id for item in result.items] == ["2019"]
        assert "different dates" in result.refused[0].reason

    @pytest.mark.parametrize(
        ("path", "key", "band", "mask"),
        [
            ("a/x_B04.tif", "a/x", "B04", None),
            ("a/x_subB4.tif", "a/x_subB4", None, None),
            ("muscl.tif", "muscl", None, None),
            ("theia/MASKS/S_CLM_R1.tif", "theia/S", None, "clm"),
            ("tile_32524-5137.tif", "tile_32524-5137", None, None),
        ],
    )
    def test_place(self, path, key, band, mask):
        part = place(path)
        assert (part.key, part.band, part.mask) == (key, band, mask)


class TestPlainPictures:
    def picture(self, path: Path, size=(10, 8)) -> Path:
        Picture.new("RGB", size, (90, 90, 90)).save(path)
        return path

    def test_a_world_file_in_degrees(self, tmp_path):
        self.picture(tmp_path / "2019-05-03.png")
        (tmp_path / "2019-05-03.pgw").write_text("0.001\n0\n0\n-0.001\n18.5005\n54.4995\n")
        result = scan_folder(tmp_path)
        (item,) = result.items
        assert item.bbox == pytest.approx([18.5, 54.492, 18.51, 54.5])
        assert item.assets["image"].extra_fields["groundbreak:placed_by"] == "world file"
        assert "EPSG:4326 is assumed" in result.notes[0]
        assert item.assets["image"].media_type == "image/png"

    def test_a_world_file_in_metres_needs_a_crs(self, tmp_path):
        self.picture(tmp_path / "2019-05-03.jpg")
        (tmp_path / "2019-05-03.jgw").write_text("10\n0\n0\n-10\n339515\n6047245\n")
        with pytest.raises(CatalogError, match=r"no CRS.*column crs"):
            scan_folder(tmp_path)
        listing(tmp_path, "2019-05-03.jpg,2019-05-03,EPSG:32634", header="file,date,crs")
        (item,) = scan_folder(tmp_path).items
        assert item.assets["image"].extra_fields["proj:transform"][:6] == list(UTM)[:6]

    @pytest.mark.parametrize(
        ("crs", "notes"), [("EPSG:32634", 0), ("epsg:32634", 0), ("EPSG:3035", 1)]
    )
    def test_a_crs_that_the_file_names_too_overrides_nothing(self, tmp_path, crs, notes):
        write(tmp_path / "2019-05-03.tif", transform=UTM, crs="EPSG:32634")
        listing(tmp_path, f"2019-05-03.tif,2019-05-03,{crs}", header="file,date,crs")
        said = [note for note in scan_folder(tmp_path).notes if "overrides" in note]
        assert len(said) == notes

    def test_corners(self, tmp_path):
        self.picture(tmp_path / "a.png")
        self.picture(tmp_path / "b.webp")
        listing(
            tmp_path,
            "a.png;2019;;18.5;54.49;18.6;54.5",
            "b.webp;2020;EPSG:32634;339510;6047170;339610;6047250",
            header="File;Date;CRS;West;South;East;North",
        )
        first, second = scan_folder(tmp_path).items
        assert first.bbox == pytest.approx([18.5, 54.49, 18.6, 54.5])
        fields = second.assets["image"].extra_fields
        assert fields["proj:transform"] == list(UTM)[:6]
        assert fields["groundbreak:placed_by"] == "dates.csv"

    def test_without_a_place(self, tmp_path):
        self.picture(tmp_path / "2019-05-03.png")
        with pytest.raises(CatalogError, match="does not say where it lies"):
            scan_folder(tmp_path)


class TestListing:
    def test_it_is_found_in_the_folder_and_leaves_out_the_rest(self, tmp_path):
        write(tmp_path / "a" / "x.tif")
        write(tmp_path / "a" / "x_clm.tif", 1)
        write(tmp_path / "2019-05-03.tif")
        write(tmp_path / "y_clm.tif", 1)
        listing(
            tmp_path,
            "a/x.tif,2011-05-24,harbour,Pleiades,assumed",
            header="file,date,id,sensor,note",
        )
        result = scan_folder(tmp_path)
        (item,) = result.items
        assert item.id == "harbour"
        assert sorted(item.assets) == ["clm", "image"]
        assert item.properties["groundbreak:date_assumed"] is True
        assert item.properties["groundbreak:sensor"] == "Pleiades"
        assert "2 files that it does not list left out" in result.notes

    def test_it_may_lie_elsewhere(self, tmp_path):
        write(tmp_path / "images" / "x.tif")
        path = listing(tmp_path, "x.tif,2011-05-24")
        assert len(scan_folder(tmp_path / "images", path).items) == 1

    @pytest.mark.parametrize(
        ("rows", "header", "message"),
        [
            (["x.tif"], "file", "no column date"),
            (["z.tif,2011", "y.tif,2012"], "file,date", r"line 2: z.tif does not exist.*any other"),
            (["x.tif,2011", "./x.tif,2012"], "file,date", "listed already in line 2"),
            (["../x.tif,2011"], "file,date", "not below the folder"),
            (["/etc/hosts,2011"], "file,date", "not below the folder"),
            ([",2011"], "file,date", "names no file"),
        ],
    )
    def test_what_is_wrong_as_a_whole(self, tmp_path, rows, header, message):
        write(tmp_path / "x.tif")
        listing(tmp_path, *rows, header=header)
        with pytest.raises(CatalogError, match=message):
            scan_folder(tmp_path)

    def test_a_missing_file_costs_its_scene_only(self, tmp_path):
        write(tmp_path / "x.tif")
        write(tmp_path / ".hidden.tif")
        listing(tmp_path, "gone/y.tif,2010", "x.tif,2011-05-24", ".hidden.tif,2012", "z.tif,13/13")
        result = scan_folder(tmp_path)
        assert [item.id for item in result.items] == ["x"]
        assert reasons(result) == {
            "gone/y.tif": "does not exist (line 2 of dates.csv)",
            ".hidden.tif": "is hidden, or below a link to a folder (line 4 of dates.csv)",
            "z.tif": "does not exist (line 5 of dates.csv)",
        }
        with pytest.raises(CatalogError, match=r"gone/y\.tif: does not exist"):
            scan_folder(tmp_path, strict=True)

    @pytest.mark.parametrize(
        ("cells", "reason"),
        [
            ("24/05/2011,,,,,", "not a date"),
            (",,,,,", "no date"),
            ("2011,B04;B03,,,,", "has 3 bands, but dates.csv names 2"),
            ("2011,,1,2,3,", "no north"),
            ("2011,,3,2,1,4", "wrong order"),
            ("2011,,1,2,3,x", "not a number"),
            ("2999,,,,,", "future"),
        ],
    )
    def test_a_bad_row_costs_its_scene_only(self, tmp_path, cells, reason):
        write(tmp_path / "good.tif")
        write(tmp_path / "bad.tif")
        header = "file,date,bands,west,south,east,north"
        listing(tmp_path, "good.tif,2010,,,,,", f"bad.tif,{cells}", header=header)
        result = scan_folder(tmp_path)
        assert [item.id for item in result.items] == ["good"]
        assert reason in reasons(result)["bad.tif"]
        with pytest.raises(CatalogError, match=r"bad\.tif"):
            scan_folder(tmp_path, strict=True)


class TestLeftOut:
    @pytest.fixture
    def folder(self, tmp_path):
        write(tmp_path / "2019-05-03.tif")
        return tmp_path

    def only_reason(self, folder) -> str:
        result = scan_folder(folder)
        assert [item.id for item in result.items] == ["2019-05-03"]
        (refused,) = result.refused
        assert "\n" not in refused.reason
        with pytest.raises(CatalogError):
            scan_folder(folder, strict=True)
        return refused.reason

    def test_empty(self, folder):
        (folder / "2019-05-04.tif").touch()
        assert "is empty" in self.only_reason(folder)

    def test_text(self, folder):
        (folder / "2019-05-04.tif").write_text("not a raster")
        assert "not a raster" in self.only_reason(folder)

    @pytest.mark.parametrize("suffix", ["tif", "jp2", "png", "jpg"])
    def test_truncated(self, folder, suffix):
        path = folder / f"2019-05-04.{suffix}"
        noise = np.random.default_rng(1).integers(0, 255, (256, 256, 3), dtype=np.uint8)
        if suffix in ("png", "jpg"):
            Picture.fromarray(noise).save(path)
        else:
            write(path, 3, size=(256, 256))
            with rasterio.open(path, "r+" if suffix == "tif" else "r") as dataset:
                if suffix == "tif":
                    dataset.write(noise.transpose(2, 0, 1))
        assert not cut_short(path)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
        reason = self.only_reason(folder)
        assert "damaged" in reason or "cannot be read" in reason

    def test_no_crs(self, folder):
        write(folder / "2019-05-04.tif", transform=UTM, crs=None)
        assert "no CRS" in self.only_reason(folder)

    def test_no_place(self, folder):
        write(folder / "2019-05-04.tif", transform=None)
        assert "where it lies" in self.only_reason(folder)

    def test_a_vrt(self, folder):
        (folder / "2019-05-04.vrt").write_text("<VRTDataset/>")
        assert "VRT" in self.only_reason(folder)

    def test_the_future(self, folder):
        write(folder / "2999-01-01.tif", tags={"ACQUISITION_DATE": "2999-01-01"})
        assert "future" in self.only_reason(folder)

    def test_two_scenes_with_one_id(self, folder):
        write(folder / "2019" / "05-03.tif", tags={"ACQUISITION_DATE": "2019-05-03"})
        write(folder / "2019_05-03.tif", tags={"ACQUISITION_DATE": "2019-05-03"})
        result = scan_folder(folder)
        assert [item.id for item in result.items] == ["2019-05-03", "2019_05-03"]
        assert reasons(result) == {
            "2019_05-03.tif": "has the id '2019_05-03' that 2019/05-03.tif has"
        }

    def test_a_tag_that_is_no_date(self, folder):
        write(folder / "2019-05-04.tif", tags={"ACQUISITION_DATE": "soon"})
        write(folder / "2019-05-05.tif", tags={"ACQUISITION_DATE": "05/06/2019"})
        assert "tag ACQUISITION_DATE '05/06/2019' is not a date" in reasons(
            scan_folder(folder)
        ).get("2019-05-05.tif", "")

    def test_no_folder(self, tmp_path):
        with pytest.raises(CatalogError, match="does not exist"):
            scan_folder(tmp_path / "nowhere")
        with pytest.raises(CatalogError, match="holds no rasters"):
            scan_folder(tmp_path)

    def test_hidden_files_are_passed_over(self, folder):
        shutil.copy(folder / "2019-05-03.tif", folder / ".2019-05-04.tif")
        write(folder / ".cache" / "2019-05-05.tif")
        assert len(scan_folder(folder).items) == 1


@pytest.mark.shared
class TestRealFolders:
    @pytest.mark.parametrize(
        ("folder", "scenes", "masks", "gsd_m", "common"),
        [
            ("eo/ports", 12, 0, 10, ["red", "green", "blue", "nir", "swir16"]),
            ("eo/series/forest_s2_cloudy", 97, 97, 10, ["red", "green", "blue", "nir"]),
            ("eo/series/naip_north_dakota_wetlands", 10, 0, 5, ["red", "green", "blue", "nir"]),
            ("eo/series/harz_s2_yearly", 6, 0, 100, ["red", "green", "blue", None]),
            ("eo/series/pucallpa_landsat", 8, 0, 89.2, ["swir16", "nir", "red", None]),
            (
                "eo/series/newyork_l8_coarse",
                19,
                0,
                3000,
                ["red", "green", "blue", "nir08", "swir16", None],
            ),
            ("pairs/oscd", 38, 0, 10, ["red", "green", "blue", "nir"]),
            ("pairs/joplin_geotiff", 6, 0, 0.6, ["red", "green", "blue"]),
        ],
    )
    def test_counts(self, shared, folder, scenes, masks, gsd_m, common):
        result = scan_folder(shared / folder)
        assert len(result.items) == scenes
        assert sum("clm" in item.assets for item in result.items) == masks
        for item in result.items:
            assert item.properties["gsd"] == pytest.approx(gsd_m, rel=0.2)
            named = [c for _, c in bands(item)]
            # One port has a narrower near infrared band in the place of the wide one.
            assert named == common or (named[3] == "nir08" and "san_francisco" in item.id)

    def test_dates_of_the_series(self, shared):
        forest = scan_folder(shared / "eo" / "series" / "forest_s2_cloudy").items
        assert (forest[0].id, forest[-1].id) == ("2015-12-30", "2020-06-01")
        assert all(i.properties["start_datetime"][:10] == i.id for i in forest)
        (first, *_) = scan_folder(shared / "eo" / "series" / "pucallpa_landsat").items
        assert first.properties["end_datetime"] == "1985-12-31T23:59:59Z"
        oscd = {i.id: i for i in scan_folder(shared / "pairs" / "oscd").items}
        assert oscd["train_B_abudhabi"].properties["start_datetime"] == "2018-03-28T00:00:00Z"

    def test_assumed_dates_of_joplin(self, shared):
        items = scan_folder(shared / "pairs" / "joplin_geotiff").items
        assumed = [bool(i.properties.get("groundbreak:date_assumed")) for i in items]
        assert assumed == [True, True, False, False, False, False]
        assert {i.assets["image"].extra_fields["proj:code"] for i in items} == {
            "EPSG:4326",
            "EPSG:26915",
        }

    def test_the_clearing_needs_dates(self, shared, tmp_path):
        folder = shared / "eo" / "georef_pairs"
        with pytest.raises(CatalogError, match="has no date"):
            scan_folder(folder)
        path = listing(
            tmp_path,
            "suriname_clearing/example_t0.tif,2019",
            "suriname_clearing/example_t1.tif,2020",
        )
        assert len(scan_folder(folder, path).items) == 2

    def test_every_fixture(self, shared, tmp_path):
        """Dated by hand, all that can be placed are scenes; the broken ones tell why not."""
        folder = shared / "eo" / "fixtures"
        files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.tif"))
        path = listing(tmp_path, *(f"{file},2020-01-01" for file in files))
        result = scan_folder(folder, path)
        broken = {
            "corrupt_jpeg_blocks.tif": "damaged",
            "empty.tif": "empty",
            "float_nan_nodata.tif": "no CRS",
            "mars_not_earth.tif": "not of the Earth",
            "rotated_no_crs.tif": "no CRS",
            "s2_no_crs.tif": "where it lies",
            "text_named.tif": "not a raster",
            "truncated.tif": "damaged",
        }
        found = reasons(result)
        assert sorted(found) == sorted(broken)
        for name, reason in broken.items():
            assert reason in found[name]
        items = {item.id: item for item in result.items}
        assert len(items) == len(files) - len(broken)
        for name in ("s2_paletted", "uint16_rgba_bgr_order", "alpha_band_jpeg_3857"):
            commons = sorted(str(c) for _, c in bands(items[name]))
            assert commons == ["blue", "green", "red"]
        west, _, east, _ = items["antimeridian_utm60"].bbox
        assert west > 0 > east


def test_what_groundbreak_wrote_is_passed_over(tmp_path):
    write(tmp_path / "2024-01-01.tif")
    write(tmp_path / "run" / "work" / "s" / "looks" / "2024-01-02" / "pixels.tif")
    (tmp_path / "run" / "run.json").write_text("{}")
    write(tmp_path / "tiles" / "s" / "2024-01-03" / "r000_c000.tif")
    (tmp_path / "tiles" / "tiles.parquet").write_bytes(b"")
    write(tmp_path / "mine" / "2024-01-04.tif")
    (tmp_path / "mine" / "run.json").write_text("{}")
    result = scan_folder(tmp_path)
    assert [item.id for item in result.items] == ["2024-01-01", "mine_2024-01-04"]
    assert "2 folders passed over that groundbreak wrote, the first run" in result.notes
    assert len(scan_folder(tmp_path / "run" / "work").items) == 1  # what is asked for is read
