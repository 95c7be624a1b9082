"""The demo makes its folder anew, and removes nothing but an earlier demo."""

import pytest

from groundbreak import demo
from groundbreak.errors import OutputError


class SimulatedError(Exception):
    """The demo came as far as simulating."""


@pytest.fixture
def series(monkeypatch):
    def stop(folder, seed):
        folder.mkdir()
        raise SimulatedError

    monkeypatch.setattr(demo, "write_series", stop)


def test_a_folder_of_the_users_with_an_input_folder_is_kept(tmp_path, series):
    (tmp_path / "input").mkdir()
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="is not an earlier demo"):
        demo.run_demo(tmp_path, 0)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_a_file_is_kept(tmp_path, series):
    (tmp_path / "demo").write_text("mine")
    with pytest.raises(OutputError, match="is not an earlier demo"):
        demo.run_demo(tmp_path / "demo", 0)


def test_an_earlier_demo_goes_even_if_it_was_interrupted(tmp_path, series):
    folder = tmp_path / "demo"
    for _ in range(2):
        with pytest.raises(SimulatedError):
            demo.run_demo(folder, 0)
        (folder / "left.txt").write_text("left")
    with pytest.raises(SimulatedError):
        demo.run_demo(folder, 0)
    assert not (folder / "left.txt").exists()
