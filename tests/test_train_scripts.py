"""The scripts around training: what they refuse, and what they write."""

from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from groundbreak.pairs.index import read_index
from scripts_loaded import load

leave_out = load("train_leave_out")
export = load("train_export")
render = load("train_render")
coarse = load("make_coarse_pairs")
splits = load("train_check_splits")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"leave": ["made", "maed"]}, "--leave: no set maed; there are made, other"),
        ({"judge": "made,other"}, "--judge: other is not among --leave"),
        ({"steps": 30}, "--steps: 30 is no multiple of data.steps, 20"),
        ({"steps": 0}, "--steps: 0 is no multiple"),
    ],
)
def test_what_cannot_be_left_out_or_judged_is_refused(
    tmp_path: Path, asked: dict[str, Any], message: str
) -> None:
    rows = ["set,split,scene,before,after,label"]
    (tmp_path / "x.png").touch()
    rows += [f"{name},train,s,x.png,x.png,x.png" for name in ("made", "other")]
    (tmp_path / "index.csv").write_text("\n".join(rows) + "\n")
    source = {"folder": str(tmp_path), "sets": ["made", "other"]}
    config = {"data": {"train": [source], "val": [source], "steps": 20}}
    options = {"leave": ["made"], "judge": "made", "steps": 40}
    leave_out.check(config, Namespace(**options))
    with pytest.raises(SystemExit, match=message):
        leave_out.check(config, Namespace(**{**options, **asked}))


def test_the_mean_of_several_weights() -> None:
    one, other = ({"a": torch.tensor([x, 2.0]), "n": torch.tensor(int(x))} for x in (1.0, 3.0))
    found = export.mean([one, other])
    torch.testing.assert_close(found["a"], torch.tensor([2.0, 2.0]))
    assert found["n"] == 1
    with pytest.raises(SystemExit, match="of different networks"):
        export.mean([one, {"a": torch.zeros(3), "n": torch.tensor(1)}])


def test_a_checkpoint_gives_its_averaged_weights(tmp_path: Path) -> None:
    state = {"network.a": torch.zeros(2), "averaged.module.a": torch.ones(2)}
    torch.save(
        {"state_dict": state | {"averaged.n_averaged": torch.tensor(4)}}, tmp_path / "x.ckpt"
    )
    found = export.read(tmp_path / "x.ckpt")
    assert set(found) == {"a"}
    torch.testing.assert_close(found["a"], torch.ones(2))


def test_a_configuration_that_writes_no_weights_is_refused() -> None:
    with pytest.raises(SystemExit, match="lists no callback WriteWeights"):
        export.recipe_of([object()])


def test_pairs_drawn_before_keep_their_pixel_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blank = np.zeros((8, 8, 3), np.uint8)
    drawn = (blank, blank, blank[..., 0])
    monkeypatch.setattr(render, "render_pair", lambda _seed, _size, _gsd: drawn)
    for count, low, high in ((2, 0.4, 0.5), (3, 2.0, 3.0)):
        words = f"render -o {tmp_path} --count {count} --gsd {low} {high}"
        monkeypatch.setattr("sys.argv", words.split())
        render.main()
    sizes = [record.gsd_m for record in read_index(tmp_path)]
    assert [size is not None and size < 1 for size in sizes] == [True, True, False]


def test_coarse_blocks_keep_berths_and_know_what_is_missing() -> None:
    assert (coarse.most(np.full((10, 10), 3, np.uint8), 5) == 3).all()
    image = np.full((3, 10, 10), 0.5, np.float32)
    image[:, :, :2] = 0
    assert set(np.unique(coarse.averaged(image, 5))) == {127}
    np.testing.assert_array_equal(coarse.missing(image, 5), [[True, False]] * 2)


def test_a_set_that_is_not_there_shares_no_ground(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    render.draw(tmp_path, 5, 32, (1.0, 1.0))
    render.list_pairs(tmp_path, (1.0, 1.0))
    for sets, code, said in (
        (["rendered"], 0, "1 scenes, 0 leaks"),
        (["renderd"], 2, "has no set renderd"),
    ):
        monkeypatch.setattr("sys.argv", ["check", str(tmp_path), *sets])
        assert splits.main() == code
        assert said in "".join(capsys.readouterr())
