"""The engine: any size, any batch, trouble survived, statistics of the scene respected."""

import logging

import numpy as np
import pytest
import torch

from groundbreak.errors import ConfigError
from groundbreak.inference import engine as engines
from groundbreak.inference import stitch
from groundbreak.inference.choose import RUNTIMES
from groundbreak.inference.device import choose_device, works
from groundbreak.inference.engine import Statistics
from groundbreak.inference.graph import write_graphs
from groundbreak.inference.stitch import StitchConfig, predict_scene
from groundbreak.inference.torch_engine import TorchEngine
from groundbreak.model.card import Card
from groundbreak.model.network import SiameseUNet, measure
from groundbreak.model.shape import NetworkConfig
from groundbreak.model.weights import LoadedModel

SMALL = NetworkConfig(fused=(4, 4, 8, 8, 16), decoder=(16, 8, 8, 8))


def small_network(seed=0):
    torch.manual_seed(seed)
    network = SiameseUNet(SMALL)
    with torch.no_grad():  # a fresh head answers the same everywhere
        for parameter in network.head.parameters():
            parameter.normal_(std=0.5)
    return network


def engine(**card):
    values = {"name": "t", "description": "", "bands": ("red", "green", "blue"), "gsd_m": (0.2, 3)}
    return TorchEngine(small_network(), Card(network=SMALL, **{**values, **card}), "cpu")


def images(shape, seed=1):
    return np.random.default_rng(seed).random((2, *shape), dtype=np.float32)


@pytest.mark.parametrize("size", [(52, 52), (1, 1), (64, 96), (33, 7)])
def test_any_size_in_the_same_size_out(size):
    before, after = images((2, 3, *size))
    probabilities = engine().predict(before, after)
    assert probabilities.shape == (2, 4, *size)
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-4)


def test_swapping_the_dates_swaps_new_and_demolished():
    before, after = images((1, 3, 64, 64))
    one, other = engine().predict(before, after), engine().predict(after, before)
    # Berths have no opposite: the rest is compared as shares of what is no berth.
    one, other = (answer[:, :3] / (1 - answer[:, 3:]) for answer in (one, other))
    np.testing.assert_allclose(one, other[:, [0, 2, 1]], atol=1e-3)
    assert np.abs(one - other).max() > 5e-3


def test_batch_size_does_not_matter():
    before, after = images((4, 3, 64, 64))
    statistics = Statistics(np.full((2, 3), 0.5), np.full((2, 3), 0.3))
    together = engine().predict(before, after, statistics)
    apart = np.concatenate(
        [engine().predict(before[i : i + 1], after[i : i + 1], statistics) for i in range(4)]
    )
    np.testing.assert_allclose(together, apart, atol=1e-3)


def test_a_cpu_takes_large_pictures_one_by_one(monkeypatch):
    monkeypatch.setattr(engines, "CPU_PX", 2 * 64 * 64)
    tested = engine()
    original, sizes = tested._forward, []

    def counted(before, *others):
        sizes.append(len(before))
        return original(before, *others)

    monkeypatch.setattr(tested, "_forward", counted)
    for side, zoom in ((32, 1), (64, 1), (64, 2)):
        assert tested.predict(*images((3, 3, side, side)), zoom=zoom).shape[0] == 3
    assert sizes == [3, 2, 1, 1, 1, 1]


@pytest.mark.parametrize("runtime", [None, "openvino", "onnxruntime"])
def test_a_scene_is_measured_before_it_is_enlarged_and_padded(runtime):
    tested = engine()
    if runtime is not None:
        pytest.importorskip(runtime)
        tested = RUNTIMES[runtime](write_graphs(LoadedModel(small_network().eval(), tested.card)))
    before, after = images((1, 3, 41, 50))
    after[:, :, 30:] /= 9  # what reflection repeats is not like the rest
    mean, spread = measure(torch.from_numpy(before), torch.from_numpy(after))
    scene = Statistics(mean[0].numpy(), spread[0].numpy())
    for zoom in (1, 2):
        found, expected = (tested.predict(before, after, s, zoom) for s in (None, scene))
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_temperature_softens():
    before, after = images((1, 3, 32, 32))
    sharp = engine().predict(before, after)
    soft = engine(temperature=4.0).predict(before, after)
    assert soft.max(1).mean() < sharp.max(1).mean()
    assert (soft.argmax(1) == sharp.argmax(1)).mean() > 0.95


def test_magnified_networks_answer_on_the_grid_of_their_input():
    before, after = images((1, 3, 20, 30))
    assert engine(upsample=3).predict(before, after).shape == (1, 4, 20, 30)


def test_out_of_memory_halves_the_batch(monkeypatch, caplog):
    tested = engine()
    original, sizes = tested._forward, []

    def short_of_memory(before, after, statistics, zoom):
        sizes.append(len(before))
        if len(before) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return original(before, after, statistics, zoom)

    monkeypatch.setattr(tested, "_forward", short_of_memory)
    before, after = images((8, 3, 32, 32))
    with caplog.at_level(logging.WARNING):
        assert tested.predict(before, after).shape == (8, 4, 32, 32)
    assert sizes == [8, 4, 2, 2, 2, 2]
    assert len([r for r in caplog.records if "out of memory" in r.message]) == 2


def test_a_failing_gpu_falls_back_with_one_warning(monkeypatch, caplog):
    tested = engine()
    tested._device = "cuda"
    original = tested._forward

    def broken(before, after, statistics, zoom):
        if tested._device == "cuda":
            raise RuntimeError("CUDA error: unspecified launch failure")
        return original(before, after, statistics, zoom)

    monkeypatch.setattr(tested, "_forward", broken)
    before, after = images((2, 3, 32, 32))
    with caplog.at_level(logging.WARNING):
        tested.predict(before, after)
        tested.predict(before, after)
    assert len([r for r in caplog.records if "going on with the CPU" in r.message]) == 1


def test_weights_survive_a_processor_that_gives_nothing_back(caplog):
    card = engine().card
    before, after = images((2, 3, 32, 32))
    with caplog.at_level(logging.WARNING):
        # Tensors on "meta" have no values, as those on a processor that is gone.
        found = TorchEngine(small_network(), card, "meta").predict(before, after)
    assert "going on with the CPU" in caplog.text
    assert np.allclose(found, engine().predict(before, after), atol=1e-6)


def test_an_illegal_access_is_no_lack_of_memory(monkeypatch, caplog):
    tested = engine()
    tested._device = "cuda"
    original, sizes = tested._forward, []

    def broken(before, after, statistics, zoom):
        sizes.append(len(before))
        if tested._device == "cuda":
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        return original(before, after, statistics, zoom)

    monkeypatch.setattr(tested, "_forward", broken)
    with caplog.at_level(logging.WARNING):
        tested.predict(*images((4, 3, 32, 32)))
    assert sizes == [4, 4]


def test_devices_are_tried_not_asked(caplog):
    assert works("cpu") is None
    assert choose_device("cpu") == "cpu"
    if not torch.cuda.is_available():
        assert works("cuda")
        assert "http" not in works("cuda")
        with caplog.at_level(logging.WARNING):
            assert choose_device("cuda") == "cpu"
        assert "does not work" in caplog.text
    with pytest.raises(ConfigError, match="unknown device"):
        choose_device("tpu")


@pytest.mark.parametrize("blended", [True, False])
def test_seams_of_the_network_are_invisible(blended, monkeypatch):
    """Where a window begins or ends the answer does not step away from that of the whole."""
    if not blended:  # without the ramp there is a step to be seen
        monkeypatch.setattr(stitch, "ramp", lambda length, _cut: np.ones(length, np.float32))
    before, after = images((3, 96, 300))
    tested = engine()
    statistics = Statistics(np.full((2, 3), 0.5), np.full((2, 3), 0.29))
    cut = StitchConfig(window=224, overlap=128, margin=32, batch=2)

    def predict(b, a):
        return tested.predict(b, a, statistics)

    whole = predict(before[None], after[None])[0]
    stitched = predict_scene(predict, before, after, cut)
    steps = np.abs(np.diff(stitched - whole, axis=2)).mean(axis=(0, 1))
    seams = steps[[300 - 224 - 1, 224 - 1]]
    assert (seams < 1e-4).all() if blended else (seams > 5e-4).all()
