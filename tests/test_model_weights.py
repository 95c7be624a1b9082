"""Weights files and their cards: round trip, refusals, ONNX."""

import copy
import json
import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import save_file

from groundbreak.errors import OutputError, WeightsError
from groundbreak.inference.engine import Statistics
from groundbreak.inference.torch_engine import TorchEngine
from groundbreak.model import told
from groundbreak.model.card import Card, DataUse, from_json
from groundbreak.model.export import Sizes, deepness_metadata, describe, export_onnx, sizes_for
from groundbreak.model.network import SiameseUNet, measure
from groundbreak.model.shape import STRIDE, NetworkConfig
from groundbreak.model.weights import NAMES, find_weights, load_weights, read_card, save_weights
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
        ({"finest_gsd_m": 4}, "finest_gsd_m is negative, or beyond"),
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


class TestWords:
    """What ``weights show`` prints."""

    def test_figures_say_of_which_set_and_split_they_are(self) -> None:
        figures = {"change": 0.5, "demolition": 0.25, "wrong_direction": 0.01, "ece": 0.02}
        card = make_card(
            metrics={
                "val": {"made": figures},
                "val_without_nir": {},
                "june": {"made": 0.75, "other": {"iou": 0.5}},
                "operating_point": {"demolition": {"recall": 0.471, "false_per_km2": 0.36}},
            },
            data=(DataUse("made", "val", 1200, "", "validation"),),
        )
        lines = told.in_words(card)
        at = lines.index(
            "F1 of pixels on the split val, by which the weights and their thresholds were chosen:"
        )
        assert lines[at + 1] == (
            "  made: change 0.5, demolition 0.25; share of found pixels given the opposite "
            "direction 0.01, calibration error of change 0.02"
        )
        assert not any("near infrared" in line for line in lines)
        at = lines.index("F1 of pixels on the split june:")
        assert lines[at + 1 : at + 3] == ["  made: 0.75", "  other: iou 0.5"]
        assert lines[at + 3].startswith("objects of validation (made val) at the thresholds above")
        assert lines[at + 4] == "  demolition: 47% found, 0.36 false per km²"
        assert lines[at + 5 : at + 7] == ["chosen on:", "  made, split val: 1,200 scenes"]

    def test_what_is_not_there_is_not_printed(self) -> None:
        card = make_card(metrics={}, data=(), min_area_m2=dict.fromkeys(Kind, 0.0))
        text = "\n".join(told.in_words(card))
        for word in (
            "missing",
            "averaged",
            "magnified",
            "F1",
            "objects of",
            " on:\n",
            "0 m²",
            "None",
        ):
            assert word not in text
        assert "  demolition: from 0.4 on" in text
        assert not re.search(r": *$", text.replace("area:\n", ""), re.MULTILINE)

    @pytest.mark.parametrize("odd", [{"val": 0.5}, {"operating_point": [1]}, {"val": {"a": None}}])
    def test_a_card_of_another_form_is_printed_as_it_is(self, odd: dict[str, object]) -> None:
        assert "None" not in "".join(told.in_words(make_card(metrics=odd)))

    def test_the_shipped_ones(self) -> None:
        for name in NAMES:
            assert not {"", "None"} & {line.strip() for line in told.in_words(read_card(name))}


@pytest.mark.parametrize(
    ("start", "gsd", "factor"),
    [(0.0, 0.5, 2), (0.0, None, 2), (1.2, 0.5, 1), (1.2, 1.2, 2), (1.2, 3.0, 2), (1.2, None, 1)],
)
def test_magnification_goes_by_the_size_of_the_pixels(
    start: float, gsd: float | None, factor: int
) -> None:
    assert make_card(upsample=2, upsample_from_gsd_m=start).magnification(gsd) == factor


def as_detected(weights: Path, pair: np.ndarray, gsd_m: float) -> np.ndarray:
    """What detection says of a scene of that pixel size, in single precision."""
    loaded = load_weights(weights)
    engine = TorchEngine(loaded.network, loaded.card, "cpu")
    engine._precision = "float32"
    before, after = pair[:, :3], pair[:, 3:]
    mean, spread = measure(torch.from_numpy(before), torch.from_numpy(after))
    scene = Statistics(mean[0].numpy(), spread[0].numpy())
    return engine.predict(before, after, scene, loaded.card.magnification(gsd_m))


@pytest.mark.timeout(900)  # the exporter takes its time on a busy machine
@pytest.mark.parametrize(("asked", "gsd", "zoom"), [(None, 1.5, 2), (0.5, 0.5, 1)])
def test_onnx_answers_as_detection_does(
    network: SiameseUNet, tmp_path: Path, asked: float | None, gsd: float, zoom: int
) -> None:
    weights, path = tmp_path / "tiny.safetensors", tmp_path / "out" / "tiny.onnx"
    save_weights(lively(network), make_card(upsample=2, upsample_from_gsd_m=0.7), weights)
    export_onnx(weights, path, asked)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for height, width in ((64, 96), (128, 64)):
        pair = torch.rand(1, 6, height, width).numpy()
        (got,) = session.run(None, {"pair": pair})
        np.testing.assert_allclose(got, as_detected(weights, pair, gsd), atol=1e-4)
        other = as_detected(weights, pair, 0.5 if zoom == 2 else 1.5)
        assert np.abs(got - other).max() > 1e-2
    item = json.loads(path.with_suffix(".stac.json").read_text())
    assert item["assets"]["model"]["href"] == "tiny.onnx"
    assert item["properties"]["mlm:hyperparameters"]["upsample"] == zoom
    properties = session.get_modelmeta().custom_metadata_map
    assert json.loads(properties["class_names"])["2"] == "demolition"
    assert json.loads(properties["upsample"]) == zoom


def lively(network: SiameseUNet) -> SiameseUNet:
    """A copy that does not answer the same everywhere, as a fresh head does."""
    network = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in network.head.parameters():
            parameter.normal_(std=0.5)
    return network


def test_an_export_is_for_one_magnification() -> None:
    card = make_card(upsample=2, upsample_from_gsd_m=0.7)
    assert sizes_for(card) == Sizes(2, pytest.approx(0.6**0.5), (0.7, 3.0))
    assert sizes_for(card, 0.5) == Sizes(1, 0.5, (0.2, 0.7))
    finest = make_card(upsample=2, upsample_from_gsd_m=0.7, finest_gsd_m=0.5)
    assert sizes_for(finest, 0.6) == Sizes(1, 0.6, (0.45, 0.7))
    assert sizes_for(finest, 0.46) == Sizes(1, 0.46, (0.45, 0.7))  # detection takes it as it is
    for size in (0.3, 0.449):  # a graph does not average pictures, as detection would
        said = r"to 3 m as they are, not of .* m; average the pictures to 0\.5 m"
        with pytest.raises(WeightsError, match=said):
            sizes_for(finest, size)
    with pytest.raises(WeightsError, match=r"not of 0\.1 m$"):
        sizes_for(finest, 0.1)
    assert sizes_for(make_card(upsample=2), 0.5) == Sizes(2, 0.5, (0.2, 3.0))
    with pytest.raises(
        WeightsError, match=r"tiny: takes pixels of 0\.2 to 3 m as they are, not of 5 m"
    ):
        sizes_for(card, 5)
    side = json.loads(deepness_metadata(make_card(upsample=3), Sizes(3, 1, (1, 2)))["tile_size"])
    assert side % STRIDE == 0


def test_an_export_beside_the_weights_leaves_their_card(saved: Path) -> None:
    card = read_card(saved)
    export_onnx(saved, saved.with_suffix(".onnx"))
    assert read_card(saved) == card
    with pytest.raises(OutputError, match=r"let it end in \.onnx"):
        export_onnx(saved, saved)
    assert read_card(saved) == card


def test_the_item_describes_what_goes_in_and_comes_out(saved: Path) -> None:
    loaded = load_weights(saved)
    properties = describe(loaded, "tiny.onnx", sizes_for(loaded.card))["properties"]
    required = {"mlm:name", "mlm:architecture", "mlm:tasks", "mlm:input", "mlm:output"}
    assert required <= set(properties)
    assert properties["mlm:input"][0]["bands"][3] == "after_red"
    classes = properties["mlm:output"][0]["classification:classes"]
    assert [c["name"] for c in classes][1:] == list(map(str, Kind))
