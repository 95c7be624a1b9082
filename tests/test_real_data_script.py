"""The script that runs the main job on real data."""

import sys
from pathlib import Path

import pytest

from scripts_loaded import load

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
