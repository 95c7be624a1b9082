"""Weights files and their cards: round trip, refusals, ONNX."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import save_file

from groundbreak.errors import OutputError, WeightsError
from groundbreak.model.card import Card, DataUse, from_json
from groundbreak.model.export import describe, export_onnx
from groundbreak.model.network import SiameseUNet
from groundbreak.model.shape import NetworkConfig
from groundbreak.model.weights import find_weights, load_weights, read_card, save_weights
from groundbreak.types import Kind

SMALL = NetworkConfig(fused=(8, 8, 8, 8, 16), decoder=(16, 8, 8, 8))


def make_card(**fields: object) -> Card:
    values = {
        "name": "tiny",
        "description": "Knows nothing.",
        "bands": ("red", "green", "blue"),
        "gsd_m": (0.2, 3.0),
        "network": SMALL,
        "temperature": 1.5,
        "thresholds": dict.fromkeys(Kind, 0.4),
        "min_area_m2": dict.fromkeys(Kind, 25.0),
        "data": (DataUse("made", "train", 3, "Apache-2.0"),),
        "metrics": {"val": {"made": {"change": 0.5}}},
    }
    return Card(**{**values, **fields})


@pytest.fixture(scope="module")
def network() -> SiameseUNet:
    torch.manual_seed(0)
    return SiameseUNet(SMALL).eval()


@pytest.fixture
def saved(network: SiameseUNet, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    save_weights(network, make_card(), path)
    return path


def dates() -> list[torch.Tensor]:
    torch.manual_seed(1)
    return [torch.rand(2, 3, 64, 96) for _ in range(2)]


def test_round_trip_within_half_precision(network: SiameseUNet, saved: Path) -> None:
    loaded = load_weights(saved)
    assert loaded.card == make_card(sha256=loaded.card.sha256)
    assert not loaded.network.training
    with torch.inference_mode():
        expected, got = (net(*dates()).softmax(1) for net in (network, loaded.network))
    assert (expected - got).abs().max() < 5e-3
    assert saved.stat().st_size < 2.2 * sum(p.numel() for p in network.parameters()) + 400_000


@pytest.mark.parametrize(
    ("contents", "message"),
    [(b"", "not the file its card"), (b"\x80\x04.", "not the file its card")],
)
def test_a_replaced_file_is_refused(saved: Path, contents: bytes, message: str) -> None:
    saved.write_bytes(contents)
    with pytest.raises(WeightsError, match=message):
        load_weights(saved)


def unsigned(path: Path) -> None:
    """Take the hash out of the card, as a foreign card may have none."""
    document = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps({**document, "sha256": None}))


def test_a_pickle_is_refused_unread(saved: Path) -> None:
    unsigned(saved)
    torch.save({"weights": torch.zeros(3)}, saved)
    with pytest.raises(WeightsError, match="is not a safetensors file"):
        load_weights(saved)


def test_weights_of_another_network_are_refused(saved: Path) -> None:
    unsigned(saved)
    save_file({"layer.weight": torch.zeros(3)}, saved)
    with pytest.raises(WeightsError, match="does not fit the network of its card"):
        load_weights(saved)


def test_numbers_that_are_not_finite_are_refused(network: SiameseUNet, tmp_path: Path) -> None:
    broken = SiameseUNet(SMALL)
    broken.load_state_dict(network.state_dict())
    with torch.no_grad():
        broken.head[0].bias[0] = float("nan")
    save_weights(broken, make_card(), tmp_path / "nan.safetensors")
    with pytest.raises(WeightsError, match="not finite"):
        load_weights(tmp_path / "nan.safetensors")


@pytest.mark.parametrize("name", ["no-such-weights", "weights.pth", "folder/x.ckpt"])
def test_what_is_neither_a_name_nor_safetensors(name: str) -> None:
    with pytest.raises(WeightsError, match=r"shipped are site-2m, area-10m"):
        find_weights(name)


def test_missing_files(tmp_path: Path, saved: Path) -> None:
    with pytest.raises(WeightsError, match="there is no file"):
        load_weights(tmp_path / "gone.safetensors")
    saved.with_suffix(".json").unlink()
    with pytest.raises(WeightsError, match=r"has no card tiny\.json"):
        load_weights(saved)
    saved.with_suffix(".json").write_text("{")
    with pytest.raises(WeightsError, match=r"tiny\.json: cannot be read"):
        read_card(saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format is not 1"),
        ({"bands": ["red"]}, "1 bands for a network of 3"),
        ({"gsd_m": [3, 1]}, "gsd_m is not a range"),
        ({"temperature": 0}, "temperature is out of range"),
        ({"thresholds": {"new_building": 0.5}}, "no 'demolition'"),
        ({"upsample": 1.5}, "upsample is not a whole number"),
        ({"min_area_m2": dict.fromkeys(Kind, -1.0)}, "a least area is negative"),
        ({"optional_bands": ["nir"]}, "optional_bands"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_card_that_cannot_be_true(change: dict[str, object], message: str) -> None:
    document = json.loads(json.dumps(make_card().to_json()))
    assert from_json(document, "x") == make_card()
    with pytest.raises(WeightsError, match=message):
        from_json({**document, **change}, "x")


@pytest.mark.parametrize(
    ("start", "gsd", "factor"),
    [(0.0, 0.5, 2), (0.0, None, 2), (1.2, 0.5, 1), (1.2, 1.2, 2), (1.2, 3.0, 2), (1.2, None, 1)],
)
def test_magnification_goes_by_the_size_of_the_pixels(
    start: float, gsd: float | None, factor: int
) -> None:
    assert make_card(upsample=2, upsample_from_gsd_m=start).magnification(gsd) == factor


@pytest.mark.parametrize("upsample", [1, 2])
def test_onnx_answers_as_the_network_does(
    network: SiameseUNet, tmp_path: Path, upsample: int
) -> None:
    weights, path = tmp_path / "tiny.safetensors", tmp_path / "out" / "tiny.onnx"
    save_weights(network, make_card(upsample=upsample), weights)
    export_onnx(weights, path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    loaded = load_weights(weights)
    for height, width in ((64, 96), (128, 64)):
        pair = torch.rand(1, 6, height, width)
        (got,) = session.run(None, {"pair": pair.numpy()})
        with torch.inference_mode():
            big = torch.nn.functional.interpolate(pair, scale_factor=upsample, mode="bilinear")
            logits = loaded.network(big[:, :3], big[:, 3:])
            logits = torch.nn.functional.avg_pool2d(logits, upsample)
            expected = (logits / loaded.card.temperature).softmax(1).numpy()
        np.testing.assert_allclose(got, expected, atol=1e-4)
    item = json.loads(path.with_suffix(".stac.json").read_text())
    assert item["assets"]["model"]["href"] == "tiny.onnx"
    properties = session.get_modelmeta().custom_metadata_map
    assert json.loads(properties["class_names"])["2"] == "demolition"


def test_an_export_beside_the_weights_leaves_their_card(saved: Path) -> None:
    card = read_card(saved)
    export_onnx(saved, saved.with_suffix(".onnx"))
    assert read_card(saved) == card
    with pytest.raises(OutputError, match=r"let it end in \.onnx"):
        export_onnx(saved, saved)
    assert read_card(saved) == card


def test_the_item_describes_what_goes_in_and_comes_out(saved: Path) -> None:
    properties = describe(load_weights(saved), "tiny.onnx")["properties"]
    required = {"mlm:name", "mlm:architecture", "mlm:tasks", "mlm:input", "mlm:output"}
    assert required <= set(properties)
    assert properties["mlm:input"][0]["bands"][3] == "after_red"
    classes = properties["mlm:output"][0]["classification:classes"]
    assert [c["name"] for c in classes][1:] == list(map(str, Kind))
