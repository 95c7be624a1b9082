"""The script that runs the main job on real data."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from shapely.geometry import box, mapping

from groundbreak.raster.write import write_cog
from scripts_loaded import load
from series import write_series

script = load("run_real_data")


@pytest.mark.parametrize("only", ["", ".", "oscd,sereis", "fixtures,"])
def test_no_folder_is_deleted_for_a_case_that_is_not_one(
    only: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("oscd", "fixtures", "mine"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(sys, "argv", ["run", str(tmp_path), "-o", str(tmp_path), "--only", only])
    with pytest.raises(SystemExit) as ended:
        script.main()
    assert ended.value.code == 2
    assert "is not among oscd, series" in capsys.readouterr().err
    assert len(list(tmp_path.iterdir())) == 3


def event(x: float, y: float, kind: str, start: str | None, end: str | None) -> dict[str, Any]:
    """An event of 10 m on the grid of ``joplin``."""
    outline = box(x, y - 10, x + 10, y)
    to_lonlat = Transformer.from_crs("EPSG:26915", "OGC:CRS84", always_xy=True)
    outline = shapely.transform(outline, to_lonlat.transform, interleaved=False)
    properties = {"site_id": "s", "kind": kind, "start_datetime": start, "end_datetime": end}
    return {"geometry": mapping(outline), "properties": properties}


@pytest.fixture
def joplin_labels(tmp_path: Path) -> Path:
    """Two labelled boxes beside each other with a gap: demolished in the west, none in the east."""
    rows = ["set,scene,label,original_name"]
    for name, east, value in (("w", 366685.8, 2), ("e", 366985.8, 0)):
        grid = GeoBox((400, 400), Affine(0.6, 0, east, 0, -0.6, 4104247.2), "EPSG:26915")
        label = np.full((1, 400, 400), value, np.uint8)
        write_cog(tmp_path / "pairs" / f"{name}.tif", label, grid, ("label",), nodata=None)
        rows.append(f"joplin,{name},{name}.tif,upper left corner E {east} N 4104247.2")
    (tmp_path / "pairs" / "index.csv").write_text("\n".join(rows))
    return tmp_path


def test_events_are_compared_with_the_labels_where_these_lie(joplin_labels: Path) -> None:
    truth = script.joplin_truth(joplin_labels)
    verdicts = [
        truth.judge(event(366685.8 + east, 4104247.2 - 20, kind, None, None))
        for east, kind in ((20, "demolition"), (20, "new_building"), (320, "demolition"))
    ]
    assert verdicts == ["right", "other direction", "wrong"]
    assert truth.judge(event(366685.8 + 260, 4104227.2, "demolition", None, None)) == (
        "without a label"
    )


def test_intervals_are_compared_with_the_dates(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spans = [
        ("2015-10-28T00:00:00Z", "2023-10-06T23:59:59Z"),
        ("2015-10-28T00:00:00Z", None),
        ("2023-10-06T00:00:00Z", "2015-10-28T00:00:00Z"),
    ]
    told = [event(366685.8, 4104247.2, "new_building", *span) for span in spans]
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "events.geojson").write_text(json.dumps({"features": told}))
    script.report_dates(tmp_path, {"s": ["2023-10-06", "2015-10-28", "2015-10-28"]})
    assert "1 of 3 intervals are exactly the two dates" in capsys.readouterr().out


def test_a_file_alone_is_answered_or_refused(tmp_path: Path) -> None:
    write_series(tmp_path, [{}])
    [good] = tmp_path.glob("*.tif")
    assert "nothing to compare" in script.alone(good, tmp_path / "good", "2021-03-01.tif")
    (tmp_path / "bad.tif").write_bytes(b"II*\0")
    said = script.alone(tmp_path / "bad.tif", tmp_path / "bad", "2021-03-01.tif")
    assert said.startswith("refused: ")
