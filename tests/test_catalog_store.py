"""Catalogue files: written to be moved, read without trust, of our own and of others' making."""

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from PIL import Image as Picture
from shapely.geometry import box, mapping

from groundbreak.catalog.scan import scan_folder
from groundbreak.catalog.store import SOURCE, read_catalog, write_catalog
from groundbreak.errors import CatalogError, HrefError, OutputError
from groundbreak.raster.href import resolve_href
from groundbreak.raster.read import read_scene
from groundbreak.types import MaskKind, Refusal

UTM = Affine(10, 0, 339510, 0, -10, 6047250)


def raster(
    path: Path, count=3, dtype="uint8", names=(), transform=UTM, crs="EPSG:32634", value=1
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=10,
        height=8,
        count=count,
        dtype=dtype,
        transform=transform,
        crs=crs,
    ) as dataset:
        dataset.write(np.full((count, 8, 10), value, dtype))
        for index, name in enumerate(names, start=1):
            dataset.set_band_description(index, name)
    return path


def item(identity="a", assets=None, time="2022-01-26T02:09:51Z", **properties) -> dict:
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": identity,
        "geometry": mapping(box(129, 40, 130, 41)),
        "bbox": [129, 40, 130, 41],
        "properties": {"datetime": time, **properties},
        "links": [],
        "assets": assets if assets is not None else {"image": {"href": f"{identity}.tif"}},
    }


def collection(path: Path, *items: dict, **members) -> Path:
    document = {"type": "FeatureCollection", "features": list(items), **members}
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def names(scene) -> dict[str, str | None]:
    return {b.name: b.common_name for asset in scene.assets for b in asset.bands}


class TestOwn:
    def scanned(self, folder: Path) -> None:
        raster(folder / "2018.tif", 4, "uint16", ["B4", "B3", "B2", "BQA"])
        raster(folder / "sub" / "2019-05-03.tif")
        raster(folder / "sub" / "2019-05-03_clm.tif", 1)

    def test_what_the_scan_left_out_and_assumed_stays_with_the_catalogue(self, tmp_path):
        raster(tmp_path / "scenes" / "2018.tif", 4, "uint16")
        (tmp_path / "scenes" / "2019.tif").write_text("")
        scan = scan_folder(tmp_path / "scenes")
        path = tmp_path / "catalog.json"
        write_catalog(scan.items, path, left_out=scan.refused, notes=scan.notes)
        kept, folder = read_catalog(path), read_catalog(tmp_path / "scenes")
        assert kept.refused == folder.refused == (Refusal("2019.tif", "is empty"),)
        assert kept.notes == folder.notes
        assert "bands have no names" in kept.notes[0]
        with pytest.raises(CatalogError, match=r"2019\.tif is empty"):
            read_catalog(path, strict=True)

    def test_names_that_are_not_utf_8_can_be_written_and_printed(self, tmp_path):
        raster(tmp_path / "scenes" / "2018.tif", 4, "uint16")
        (tmp_path / "scenes" / os.fsdecode(b"2019_M\xfcnchen\x1b[31m.tif")).write_text("")
        scan = scan_folder(tmp_path / "scenes")
        path = tmp_path / "catalog.json"
        write_catalog(scan.items, path, left_out=scan.refused, notes=scan.notes)
        [refusal] = read_catalog(path).refused
        assert refusal.subject == r"2019_M\udcfcnchen\x1b[31m.tif"
        assert read_catalog(tmp_path / "scenes").refused == (refusal,)

    def test_odd_text_of_a_catalogue_is_made_fit_to_print(self, tmp_path):
        raster(tmp_path / "a.tif")
        source = {"left_out": [{"file": "\ud800", "reason": "\x07"}], "notes": ["\ud800"]}
        catalog = read_catalog(collection(tmp_path / "c.json", item(), **{SOURCE: source}))
        assert catalog.refused == (Refusal(r"\ud800", r"\x07"),)
        assert catalog.notes[0] == r"\ud800"

    @pytest.mark.parametrize("told", [3, {"file": "a"}, [7, {"file": "a", "reason": None}, {}]])
    def test_what_is_no_list_of_left_out_files_is_passed_over(self, tmp_path, told):
        raster(tmp_path / "a.tif")
        source = {"left_out": told, "notes": told}
        catalog = read_catalog(collection(tmp_path / "c.json", item(), **{SOURCE: source}))
        assert (catalog.refused, catalog.notes) == ((), ())

    def test_round_trip(self, tmp_path):
        self.scanned(tmp_path)
        path = tmp_path / "catalog.json"
        write_catalog(scan_folder(tmp_path).items, path)
        document = json.loads(path.read_text())
        assert SOURCE not in document
        hrefs = [a["href"] for f in document["features"] for a in f["assets"].values()]
        assert hrefs == ["2018.tif", "sub/2019-05-03.tif", "sub/2019-05-03_clm.tif"]

        catalog = read_catalog(path)
        assert catalog == read_catalog(path)
        first, second = catalog.scenes
        assert (first.start, first.end) == (
            datetime(2018, 1, 1, tzinfo=UTC),
            datetime(2018, 12, 31, 23, 59, 59, tzinfo=UTC),
        )
        assert names(first) == {"B4": "red", "B3": "green", "B2": "blue"}
        (mask,) = first.masks
        assert (mask.kind, mask.band, mask.href) == (MaskKind.BQA, 4, first.assets[0].href)
        assert second.id == "sub_2019-05-03"
        assert second.assets[0].href == str(tmp_path / "sub" / "2019-05-03.tif")
        (mask,) = second.masks
        assert (mask.kind, mask.band) == (MaskKind.CLM, None)
        assert second.gsd_m == pytest.approx(10, abs=0.01)
        assert second.footprint is not None
        assert catalog.policy.root == str(tmp_path)

    def test_the_same_scenes_from_the_folder_itself(self, tmp_path):
        self.scanned(tmp_path)
        write_catalog(scan_folder(tmp_path).items, tmp_path / "catalog.json")
        from_file, from_folder = read_catalog(tmp_path / "catalog.json"), read_catalog(tmp_path)
        assert [(s.id, s.assets, s.masks) for s in from_file.scenes] == [
            (s.id, s.assets, s.masks) for s in from_folder.scenes
        ]

    def test_a_time_to_the_second_from_the_folder_itself(self, tmp_path):
        with rasterio.open(raster(tmp_path / "a.tif"), "r+") as dataset:
            dataset.update_tags(ACQUISITION_DATE="2022-01-26T02:09:51Z")
        (scene,) = read_catalog(tmp_path).scenes
        assert scene.start == scene.end == datetime(2022, 1, 26, 2, 9, 51, tzinfo=UTC)

    def test_it_moves_with_its_folder(self, tmp_path):
        self.scanned(tmp_path / "old")
        write_catalog(scan_folder(tmp_path / "old").items, tmp_path / "old" / "catalog.json")
        shutil.move(tmp_path / "old", tmp_path / "new")
        catalog = read_catalog(tmp_path / "new" / "catalog.json")
        assert all(Path(a.href).is_file() for s in catalog.scenes for a in s.assets)

    def test_a_scan_of_another_folder_names_it(self, tmp_path):
        self.scanned(tmp_path / "images")
        path = tmp_path / "elsewhere" / "catalog.json"
        write_catalog(scan_folder(tmp_path / "images").items, path)
        assert json.loads(path.read_text())[SOURCE]["folders"] == [str(tmp_path / "images")]
        catalog = read_catalog(path)
        assert len(catalog.scenes) == 2
        for scene in catalog.scenes:
            for asset in scene.assets:
                assert resolve_href(asset.href, catalog.policy) == asset.href

    def test_pictures_keep_the_place_that_they_were_given(self, tmp_path):
        Picture.new("RGB", (10, 8)).save(tmp_path / "2019-05-03.png")
        (tmp_path / "2019-05-03.pgw").write_text("0.001\n0\n0\n-0.001\n18.5005\n54.4995\n")
        write_catalog(scan_folder(tmp_path).items, tmp_path / "catalog.json")
        (scene,) = read_catalog(tmp_path / "catalog.json").scenes
        georef = scene.assets[0].georef
        assert georef is not None
        assert (georef.crs, georef.shape) == ("EPSG:4326", (8, 10))
        assert georef.transform.almost_equals(Affine(0.001, 0, 18.5, 0, -0.001, 54.5), 1e-9)

    def test_a_mask_lies_where_its_picture_lies(self, tmp_path):
        Picture.new("RGB", (10, 8)).save(tmp_path / "a.png")
        Picture.new("L", (5, 4)).save(tmp_path / "a_clm.png")
        (tmp_path / "dates.csv").write_text(
            "file,date,crs,west,south,east,north\n"
            "a.png,2019-05-03,EPSG:32634,339510,6047170,339610,6047250\n"
        )
        write_catalog(scan_folder(tmp_path).items, tmp_path / "catalog.json")
        (scene,) = read_catalog(tmp_path / "catalog.json").scenes
        (mask,) = scene.masks
        assert mask.georef is not None
        assert mask.georef.shape == (4, 5)
        assert mask.georef.transform.almost_equals(Affine(20, 0, 339510, 0, -20, 6047250))

    def test_a_footprint_across_the_antimeridian_is_whole(self, tmp_path):
        place = Affine(0.1, 0, 179.5, 0, -0.1, 10)
        raster(tmp_path / "2019-05-03.tif", transform=place, crs="EPSG:4326")
        write_catalog(scan_folder(tmp_path).items, tmp_path / "catalog.json")
        (scene,) = read_catalog(tmp_path / "catalog.json").scenes
        assert scene.footprint.symmetric_difference(box(179.5, 9.2, 180.5, 10)).area < 1e-6

    def test_scale_offset_and_nodata(self, tmp_path):
        stem = "LC08_L2SP_116034_20220126_20220204_02_T1"
        for name in ("SR_B2", "SR_B3", "SR_B4"):
            raster(tmp_path / f"{stem}_{name}.TIF", 1, "uint16")
        write_catalog(scan_folder(tmp_path).items, tmp_path / "catalog.json")
        (scene,) = read_catalog(tmp_path / "catalog.json").scenes
        red = next(b for a in scene.assets for b in a.bands if b.common_name == "red")
        assert (red.scale, red.offset, red.nodata) == (2.75e-5, -0.2, 0.0)
        assert scene.sensor == "landsat-8"

    def test_core_validation_of_what_is_written(self, tmp_path):
        self.scanned(tmp_path)
        path = tmp_path / "catalog.json"
        write_catalog(scan_folder(tmp_path).items, path)
        for written in pystac.ItemCollection.from_file(str(path)):
            written.stac_extensions = []  # their schemas are on the network
            written.validate()

    def test_a_folder_that_may_not_be_written(self, tmp_path):
        self.scanned(tmp_path)
        (tmp_path / "file").touch()
        with pytest.raises(OutputError):
            write_catalog(scan_folder(tmp_path).items, tmp_path / "file" / "catalog.json")


class TestHrefs:
    HOSTILE = (
        "/vsicurl/http://127.0.0.1/x.tif",
        "/vsizip//etc/secret.zip/x.tif",
        "/vsimem/x",
        "../outside.tif",
        "/etc/passwd",
        "file:///etc/passwd",
        "inner.vrt",
        "https://example.org/a.tif",
        "http://169.254.169.254/latest/meta-data",
        "s3://bucket/a.tif",
        "link.tif",
    )

    @pytest.mark.parametrize("href", HOSTILE)
    def test_what_may_not_be_read_is_refused_at_once(self, tmp_path, href):
        folder = tmp_path / "catalog"
        raster(folder / "good.tif")
        raster(tmp_path / "outside.tif")
        (folder / "link.tif").symlink_to(tmp_path / "outside.tif")
        (folder / "inner.vrt").write_text("<VRTDataset/>")
        bad = item("bad", {"image": {"href": href}})
        path = collection(folder / "catalog.json", item("good"), bad)
        with pytest.raises(HrefError, match="bad") as caught:
            read_catalog(path)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("href", HOSTILE)
    def test_also_as_masks(self, tmp_path, href):
        raster(tmp_path / "catalog" / "good.tif")
        raster(tmp_path / "outside.tif")
        (tmp_path / "catalog" / "link.tif").symlink_to(tmp_path / "outside.tif")
        assets = {"image": {"href": "good.tif"}, "scl": {"href": href}}
        with pytest.raises(HrefError):
            read_catalog(collection(tmp_path / "catalog" / "catalog.json", item("good", assets)))

    def test_a_folder_allowed_by_name(self, tmp_path):
        outside = raster(tmp_path / "outside" / "a.tif")
        raster(tmp_path / "catalog" / "good.tif")
        path = tmp_path / "catalog" / "catalog.json"
        collection(path, item("a", {"image": {"href": str(outside)}}))
        with pytest.raises(HrefError):
            read_catalog(path)
        assert len(read_catalog(path, allow=[str(tmp_path / "outside")]).scenes) == 1

    def test_a_host_allowed_by_name(self, tmp_path):
        bands = [{"name": "red", "common_name": "red"}]
        href = "https://data.example.org/a.tif"
        path = collection(
            tmp_path / "catalog.json", item("a", {"image": {"href": href, "eo:bands": bands}})
        )
        with pytest.raises(HrefError, match=r"data\.example\.org"):
            read_catalog(path)
        (scene,) = read_catalog(path, allow=["*.example.org"]).scenes
        assert scene.assets[0].href == href

    def test_hosts_of_the_searched_api(self, tmp_path):
        bands = [{"name": "red", "common_name": "red"}]
        asset = {"href": "https://api.example.org/a.tif", "eo:bands": bands}
        path = tmp_path / "catalog.json"
        write_catalog(
            [pystac.Item.from_dict(item("a", {"red": asset}))],
            path,
            api="https://api.example.org/v1",
        )
        assert json.loads(path.read_text())[SOURCE] == {"api": "https://api.example.org/v1"}
        assert read_catalog(path).policy.hosts == ("api.example.org",)

    def test_a_catalogue_may_not_name_everything(self, tmp_path):
        raster(tmp_path / "a.tif")
        path = collection(tmp_path / "catalog.json", item("a"), **{SOURCE: {"folders": ["/"]}})
        with pytest.raises(HrefError):
            read_catalog(path)

    def test_nobody_reads_thumbnails_and_metadata(self, tmp_path):
        raster(tmp_path / "a.tif")
        assets = {
            "image": {"href": "a.tif"},
            "thumbnail": {"href": "https://example.org/t.png", "roles": ["thumbnail"]},
            "info": {"href": "https://example.org/i.json", "type": "application/json"},
            "manifest": {"href": "https://example.org/manifest.xml"},
        }
        assert (
            len(read_catalog(collection(tmp_path / "catalog.json", item("a", assets))).scenes) == 1
        )


class TestForeign:
    BASE = "https://sentinel-cogs.s3.us-west-2.amazonaws.com/52/S2B_52SFA_20220126_0_L2A"

    def earth_search(self) -> dict:
        """As Earth Search v1 describes Sentinel-2: COG and JPEG 2000 of everything."""
        assets = {}
        for key, name, gsd in (("red", "red", 10), ("green", "green", 10), ("blue", "blue", 10)):
            for suffix, end, media in (
                ("", "tif", "image/tiff; application=geotiff; profile=cloud-optimized"),
                ("-jp2", "jp2", "image/jp2"),
            ):
                assets[f"{key}{suffix}"] = {
                    "href": f"{self.BASE}/{name}.{end}",
                    "type": media,
                    "eo:bands": [{"name": name, "common_name": name}],
                    "raster:bands": [
                        {"nodata": 0, "spatial_resolution": gsd, "scale": 1e-4, "offset": -0.1}
                    ],
                    "proj:shape": [10980, 10980],
                    "proj:transform": [gsd, 0, 600000, 0, -gsd, 4600020],
                    "roles": ["data", "reflectance"],
                }
        rgb = [{"name": n, "common_name": n} for n in ("red", "green", "blue")]
        tiff = assets["red"]["type"]
        assets |= {
            "visual": {
                "href": f"{self.BASE}/TCI.tif", "type": tiff, "eo:bands": rgb,
                "proj:shape": [10980, 10980],
                "proj:transform": [10, 0, 600000, 0, -10, 4600020], "roles": ["visual"],
            },
            "rededge1": {"href": f"{self.BASE}/B05.tif", "type": tiff, "roles": ["data"],
                         "eo:bands": [{"name": "rededge1", "common_name": "rededge"}]},
            "rededge2": {"href": f"{self.BASE}/B06.tif", "type": tiff, "roles": ["data"],
                         "eo:bands": [{"name": "rededge2", "common_name": "rededge"}]},
            "scl": {"href": f"{self.BASE}/SCL.tif", "type": tiff, "roles": ["data"]},
            "scl-jp2": {"href": f"{self.BASE}/SCL.jp2", "type": "image/jp2", "roles": ["data"]},
            "aot": {"href": f"{self.BASE}/AOT.tif", "type": tiff, "roles": ["data"]},
            "thumbnail": {"href": f"{self.BASE}/t.jpg", "roles": ["thumbnail"]},
            "granule_metadata": {"href": f"{self.BASE}/m.xml", "type": "application/xml"},
        }  # fmt: skip
        return item(
            "S2B_52SFA_20220126_0_L2A",
            assets,
            platform="sentinel-2b",
            **{
                "proj:epsg": 32652,
                "s2:processing_baseline": "03.01",
                "earthsearch:boa_offset_applied": True,
            },
        )

    def test_earth_search(self, tmp_path):
        path = collection(
            tmp_path / "c.json", self.earth_search(), **{SOURCE: {"api": "earth-search"}}
        )
        (scene,) = read_catalog(path).scenes
        files = [a.href.rpartition("/")[2] for a in scene.assets]
        assert sorted(files) == ["B05.tif", "B06.tif", "blue.tif", "green.tif", "red.tif"]
        assert [(m.kind, m.href.rpartition("/")[2]) for m in scene.masks] == [
            (MaskKind.SCL, "SCL.tif")
        ]
        red = next(b for a in scene.assets for b in a.bands if b.common_name == "red")
        assert (red.scale, red.offset, red.nodata) == (1e-4, -0.1, 0.0)
        assert scene.properties["earthsearch:boa_offset_applied"] is True
        assert scene.properties["s2:processing_baseline"] == "03.01"
        assert scene.sensor == "sentinel-2b"
        assert scene.gsd_m == pytest.approx(10, rel=0.01)
        assert scene.start == scene.end == datetime(2022, 1, 26, 2, 9, 51, tzinfo=UTC)

    def test_planetary_computer(self, tmp_path):
        host = "https://sentinel2l2a01.blob.core.windows.net/sentinel2-l2"
        cog = "image/tiff; application=geotiff; profile=cloud-optimized"
        named = {"B02": "blue", "B03": "green", "B04": "red", "B8A": "rededge"}
        assets = {
            key: {"href": f"{host}/{key}_10m.tif", "type": cog, "roles": ["data"], "gsd": 10,
                  "eo:bands": [{"name": key, "common_name": common}]}
            for key, common in named.items()
        } | {
            "SCL": {"href": f"{host}/SCL_20m.tif", "type": cog, "roles": ["data"]},
            "WVP": {"href": f"{host}/WVP_10m.tif", "type": cog, "roles": ["data"]},
            "preview": {"href": f"{host}/TCI.tif", "type": cog, "roles": ["thumbnail"]},
            "tilejson": {"href": "https://example.org/tilejson.json", "type": "application/json"},
        }  # fmt: skip
        path = collection(
            tmp_path / "c.json",
            item("S2B_MSIL2A_20220126", assets, constellation="Sentinel 2"),
            **{SOURCE: {"api": "planetary-computer"}},
        )
        (scene,) = read_catalog(path).scenes
        assert names(scene) == named
        assert [mask.kind for mask in scene.masks] == [MaskKind.SCL]
        assert scene.gsd_m == 10

    def test_landsat_by_the_keys_alone(self, tmp_path):
        """STAC 1.1 without band names; the keys tell, and the numbers mean Landsat's bands."""
        for key in ("SR_B2", "SR_B3", "SR_B4", "QA_PIXEL", "qa_radsat"):
            raster(tmp_path / f"{key}.TIF", 1, "uint16")
        assets = {
            key: {
                "href": f"{key}.TIF",
                "type": "image/tiff",
                "raster:scale": 2.75e-5,
                "raster:offset": -0.2,
            }
            for key in ("SR_B2", "SR_B3", "SR_B4")
        } | {k: {"href": f"{k}.TIF", "type": "image/tiff"} for k in ("QA_PIXEL", "qa_radsat")}
        path = collection(tmp_path / "c.json", item("l8", assets, platform="landsat-8"))
        (scene,) = read_catalog(path).scenes
        assert names(scene) == {"SR_B2": "blue", "SR_B3": "green", "SR_B4": "red"}
        assert scene.assets[0].bands[0].offset == -0.2
        assert [mask.kind for mask in scene.masks] == [MaskKind.QA_PIXEL]

    def test_bands_of_stac_1_1(self, tmp_path):
        raster(tmp_path / "a.tif", 4, "uint16")
        listed = [
            {"name": "B8", "eo:common_name": "nir", "nodata": "nan", "raster:scale": 1e-4},
            {"name": "B4", "eo:common_name": "red"},
            {"name": "B3", "eo:common_name": "green"},
            {"name": "B2", "eo:common_name": "blue"},
        ]
        asset = {"href": "a.tif", "bands": listed, "gsd": 3.5, "roles": ["data"]}
        path = collection(
            tmp_path / "c.json", item("a", {"analytic": asset}) | {"stac_version": "1.1.0"}
        )
        (scene,) = read_catalog(path).scenes
        ((first, *_),) = (asset.bands for asset in scene.assets)
        assert (first.index, first.common_name, first.scale) == (1, "nir", 1e-4)
        assert np.isnan(first.nodata)
        assert scene.gsd_m == 3.5

    def test_a_picture_sharpened_to_a_finer_grid_is_taken_before_the_bands(self, tmp_path):
        rgb = [{"name": n, "common_name": n} for n in ("red", "green", "blue")]
        for name in ("visual.tif", "ms.tif"):
            raster(tmp_path / name)
        assets = {
            "ms_analytic": {"href": "ms.tif", "eo:bands": rgb, "gsd": 2.0},
            "visual": {"href": "visual.tif", "eo:bands": rgb, "gsd": 0.5},
        }
        (scene,) = read_catalog(collection(tmp_path / "c.json", item("a", assets))).scenes
        assert [Path(a.href).name for a in scene.assets] == ["visual.tif"]
        assert scene.gsd_m == 0.5

    def test_a_local_file_tells_its_bands_where_the_item_does_not(self, tmp_path):
        raster(tmp_path / "a.tif", 4, "uint16", ["B04", "B03", "B02", "B08"])
        (scene,) = read_catalog(collection(tmp_path / "c.json", item("a"))).scenes
        assert names(scene) == {"B04": "red", "B03": "green", "B02": "blue", "B08": "nir"}
        assert scene.gsd_m == pytest.approx(10, abs=0.01)

    @staticmethod
    def by_the_keys(folder) -> dict:
        """Blue, green and red of 0.1, 0.2 and 0.3, a file a band; angles of three bands of 0.9."""
        grounds = {"B02": 0.1, "B03": 0.2, "B04": 0.3}
        for key, value in grounds.items():
            raster(folder / f"{key}.tif", 1, "float32", value=value)
        raster(folder / "angles.tif", 3, "float32", value=0.9)
        return {key: {"href": f"{key}.tif"} for key in grounds}

    def test_what_names_no_bands_is_not_taken_for_the_image(self, tmp_path):
        assets = {"sun-grid": {"href": "angles.tif"}} | self.by_the_keys(tmp_path)
        catalog = read_catalog(collection(tmp_path / "c.json", item("a", assets)))
        (scene,) = catalog.scenes
        assert [Path(asset.href).name for asset in scene.assets] == [
            "B02.tif",
            "B03.tif",
            "B04.tif",
        ]
        grid = GeoBox((8, 10), UTM, "EPSG:32634")
        patch = read_scene(scene, grid, ("red", "green", "blue"), catalog.policy)
        assert patch.pixels.mean(axis=(1, 2)) == pytest.approx([0.3, 0.2, 0.1])

    @pytest.mark.parametrize("href", ["missing.tif", "https://example.org/a.tif"])
    def test_what_is_not_read_costs_no_scene(self, tmp_path, href):
        assets = self.by_the_keys(tmp_path) | {"sun-grid": {"href": href, "type": "image/tiff"}}
        catalog = read_catalog(collection(tmp_path / "c.json", item("a", assets)))
        assert [len(scene.assets) for scene in catalog.scenes] == [3]

    def test_of_files_that_show_the_same_the_one_with_the_data_is_taken(self, tmp_path):
        raster(tmp_path / "image.tif", 4, "uint16", ["B04", "B03", "B02", "B08"])
        raster(tmp_path / "angles.tif")
        assets = {
            "a": {"href": "angles.tif"},
            "z": {"href": "image.tif", "roles": ["data"]},
            "extra": {"href": "missing.tif"},
        }
        (scene,) = read_catalog(collection(tmp_path / "c.json", item("a", assets))).scenes
        assert [Path(asset.href).name for asset in scene.assets] == ["image.tif"]
        assert names(scene)["B08"] == "nir"

    def test_a_file_tells_what_the_named_assets_lack(self, tmp_path):
        raster(tmp_path / "nir.tif", 1, "uint16")
        raster(tmp_path / "image.tif", 3, "uint16")
        assets = {"nir": {"href": "nir.tif"}, "image": {"href": "image.tif"}}
        (scene,) = read_catalog(collection(tmp_path / "c.json", item("a", assets))).scenes
        assert set(names(scene).values()) == {"red", "green", "blue", "nir"}

    @pytest.mark.parametrize("colours", [("red", "green", "blue"), ("gray", "undefined", None)])
    def test_bands_that_are_only_counted(self, tmp_path, colours):
        """As rio-stac writes them: b1 is the first band, not that of a sensor."""
        raster(tmp_path / "a.tif")
        listed = [
            {"name": f"b{place}", "description": colour} for place, colour in enumerate(colours, 1)
        ]
        path = collection(
            tmp_path / "c.json", item("a", {"a": {"href": "a.tif", "eo:bands": listed}})
        )
        (scene,) = read_catalog(path).scenes
        assert list(names(scene).values()) == ["red", "green", "blue"]

    @pytest.mark.parametrize(
        "told",
        [
            {"eo:bands": [{"name": "b1", "description": "gray"}]},
            {"bands": [{"data_type": "float32", "raster:scale": 0.5}]},
        ],
    )
    def test_a_band_that_is_only_counted_is_that_of_the_key(self, tmp_path, told):
        assets = {key: asset | told for key, asset in self.by_the_keys(tmp_path).items()}
        (scene,) = read_catalog(collection(tmp_path / "c.json", item("a", assets))).scenes
        assert names(scene) == {"B02": "blue", "B03": "green", "B04": "red"}
        scales = {band.scale for asset in scene.assets for band in asset.bands}
        assert scales == {0.5 if "bands" in told else None}

    SCL_CLASSES = (
        *("no_data", "saturated_or_defective", "dark_area_pixels", "cloud_shadows", "vegetation"),
        *("not_vegetated", "water", "unclassified", "cloud_medium_probability"),
        *("cloud_high_probability", "thin_cirrus", "snow"),
    )
    QA_BITS = ("fill", "dilated_cloud", "cirrus", "cloud", "cloud_shadow", "snow", "clear", "water")
    FMASK_BITS = ("cirrus", "cloud", "adjacent_to_cloud", "cloud_shadow", "snow_ice", "water")

    @pytest.mark.parametrize(
        ("member", "place", "classes", "kind"),
        [
            ("classification:classes", "value", SCL_CLASSES, MaskKind.SCL),
            ("classification:bitfields", "offset", QA_BITS, MaskKind.QA_PIXEL),
            ("classification:bitfields", "offset", FMASK_BITS, MaskKind.FMASK),
        ],
    )
    @pytest.mark.parametrize("in_band", [False, True])
    def test_a_mask_is_known_by_its_classes(self, tmp_path, member, place, classes, kind, in_band):
        raster(tmp_path / "quality.tif", 1)
        entries = [{place: number, "name": name} for number, name in enumerate(classes)]
        told = {"raster:bands": [{member: entries}]} if in_band else {member: entries}
        assets = self.by_the_keys(tmp_path) | {
            "quality": {"href": "quality.tif", "roles": ["data-mask", "cloud"]} | told
        }
        catalog = read_catalog(collection(tmp_path / "c.json", item("a", assets)))
        (scene,) = catalog.scenes
        assert [(m.kind, Path(m.href).name) for m in scene.masks] == [(kind, "quality.tif")]
        assert len(scene.assets) == 3
        assert catalog.notes == ()

    def test_a_mask_of_unknown_codes_is_no_image_and_is_told(self, tmp_path):
        raster(tmp_path / "image.tif")
        raster(tmp_path / "quality.tif")
        mask = {"href": "quality.tif", "roles": ["data-mask", "cloud"]}
        odd = mask | {"classification:classes": [{"value": [3], "name": "cloud"}, None]}
        assets = {"image": {"href": "image.tif"}}
        path = collection(
            tmp_path / "c.json",
            item("a", {"quality": mask} | assets),
            item("b", {"quality": odd} | assets),
        )
        catalog = read_catalog(path)
        for scene in catalog.scenes:
            assert [Path(asset.href).name for asset in scene.assets] == ["image.tif"]
            assert scene.masks == ()
        assert catalog.notes == (
            "the mask 'quality' of 2 scenes is not used, since its codes are not known: clouds are "
            "judged from the picture",
        )

    def test_beside_a_known_mask_nothing_is_said_of_another(self, tmp_path):
        raster(tmp_path / "a.tif")
        raster(tmp_path / "SCL.tif", 1)
        assets = {
            "image": {"href": "a.tif"},
            "scl": {"href": "SCL.tif"},
            "probability": {"href": "a.tif", "roles": ["cloud"]},
        }
        catalog = read_catalog(collection(tmp_path / "c.json", item("a", assets)))
        assert [mask.kind for mask in catalog.scenes[0].masks] == [MaskKind.SCL]
        assert catalog.notes == ()

    def test_angles_are_no_picture(self, tmp_path):
        raster(tmp_path / "angles.tif")
        assets = {"grid": {"href": "angles.tif", "roles": ["data", "sun-azimuth"]}}
        with pytest.raises(CatalogError, match="no asset with an image"):
            read_catalog(collection(tmp_path / "c.json", item("a", assets)))

    def test_a_stated_pixel_size_comes_before_none(self, tmp_path):
        rgb = [{"name": n, "common_name": n} for n in ("red", "green", "blue")]
        assets = {
            "a": {"href": raster(tmp_path / "a.tif").name, "eo:bands": rgb},
            "b": {"href": raster(tmp_path / "b.tif").name, "eo:bands": rgb, "gsd": 3.0},
        }
        (scene,) = read_catalog(collection(tmp_path / "c.json", item("a", assets))).scenes
        assert [Path(asset.href).name for asset in scene.assets] == ["b.tif"]

    def test_a_single_item(self, tmp_path):
        raster(tmp_path / "a.tif")
        path = tmp_path / "item.json"
        path.write_text(json.dumps(item("a")))
        assert [s.id for s in read_catalog(path).scenes] == ["a"]


class TestBadInput:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("{", "not JSON"),
            ("[]", "no STAC ItemCollection"),
            ('{"type": "Catalog"}', "only links to scenes"),
            ('{"type": "FeatureCollection"}', "no list of features"),
            ('{"type": "FeatureCollection", "features": []}', "holds no scene"),
            ('{"type": "FeatureCollection", "features": [{"type": "Feature"}]}', "no assets"),
            ('{"type": "FeatureCollection", "features": [{"assets": {}}]}', "no id"),
            (
                '{"type": "FeatureCollection", "features": [{"id": "a", "assets": {}}]}',
                "not a valid STAC item",
            ),
        ],
    )
    def test_one_line_that_names_the_file(self, tmp_path, text, message):
        path = tmp_path / "catalog.json"
        path.write_text(text)
        with pytest.raises(CatalogError, match=message) as caught:
            read_catalog(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_missing(self, tmp_path):
        with pytest.raises(CatalogError, match="does not exist"):
            read_catalog(tmp_path / "catalog.json")

    def test_two_items_with_one_id(self, tmp_path):
        raster(tmp_path / "a.tif")
        path = collection(tmp_path / "c.json", item("a"), item("a"))
        catalog = read_catalog(path)
        assert [scene.id for scene in catalog.scenes] == ["a"]
        assert catalog.refused == (Refusal("item 2", "has the id 'a' that item 1 has"),)
        with pytest.raises(CatalogError, match=r"item 2 has the id 'a' that item 1 has"):
            read_catalog(path, strict=True)

    @pytest.mark.parametrize(
        ("bad", "reason"),
        [
            (item("bad", time="2999-01-01T00:00:00Z"), "future"),
            (item("bad", {"x": {"href": "x.json", "type": "application/json"}}), "no asset"),
            (item("bad", {"image": {"href": "missing.tif"}}), "does not exist"),
            (
                item(
                    "bad",
                    time=None,
                    start_datetime="2020-01-01T00:00:00Z",
                    end_datetime="2019-01-01T00:00:00Z",
                ),
                "before start_datetime",
            ),
        ],
    )
    def test_one_bad_scene_among_good_ones(self, tmp_path, bad, reason):
        raster(tmp_path / "good.tif")
        raster(tmp_path / "bad.tif")
        path = collection(tmp_path / "c.json", item("good"), bad)
        catalog = read_catalog(path)
        assert [scene.id for scene in catalog.scenes] == ["good"]
        [refusal] = catalog.refused
        assert reason in refusal.reason
        assert refusal.subject == "bad"
        with pytest.raises(CatalogError, match=reason):
            read_catalog(path, strict=True)
        with pytest.raises(CatalogError, match=f"no scene is left.*{reason}"):
            read_catalog(collection(path, bad))

    def test_a_footprint_that_is_none(self, tmp_path):
        raster(tmp_path / "a.tif")
        odd = item("a") | {"geometry": None, "bbox": [179.0, 0.0, -179.0, 1.0]}
        (scene,) = read_catalog(collection(tmp_path / "c.json", odd)).scenes
        assert scene.footprint.bounds == (179.0, 0.0, 181.0, 1.0)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("folder", "scenes"),
    [("eo/ports", 12), ("eo/series", 140), ("pairs/oscd", 38), ("pairs/joplin_geotiff", 6)],
)
def test_real_folders_survive_the_file(shared, tmp_path, folder, scenes):
    scanned = scan_folder(shared / folder)
    write_catalog(scanned.items, tmp_path / "catalog.json")
    catalog = read_catalog(tmp_path / "catalog.json")
    assert [scene.id for scene in catalog.scenes] == [i.id for i in scanned.items]
    assert len(catalog.scenes) == scenes
    for scene in catalog.scenes:
        assert scene.footprint is not None
        assert all(Path(asset.href).is_file() for asset in scene.assets)
