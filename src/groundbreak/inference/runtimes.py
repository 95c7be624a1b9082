"""OpenVINO and ONNX Runtime: the network as a graph that they optimise for the CPU at hand."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import torch

from groundbreak.inference.device import threads
from groundbreak.inference.engine import (
    Statistics,
    check_shapes,
    pairs_at_once,
    to_network,
    to_probabilities,
)
from groundbreak.inference.graph import INPUTS, encoder_and_decoder
from groundbreak.model.card import Card
from groundbreak.model.network import measure
from groundbreak.model.weights import LoadedModel
from groundbreak.types import FloatArray

Run = Callable[[list[FloatArray]], FloatArray]
"""The arrays of ``graph.INPUTS`` → logits (n, 2 x classes, h, w)."""


class RuntimeEngine:
    """A runtime on the CPU; threads may share it, and take turns."""

    def __init__(self, card: Card, description: str, run: Run) -> None:
        self._card, self._description, self._run = card, description, run
        self._turn = threading.Lock()

    @property
    def card(self) -> Card:
        """The card of the weights."""
        return self._card

    @property
    def description(self) -> str:
        """Runtime, its version and precision."""
        return self._description

    @property
    def device(self) -> str:
        """The CPU."""
        return "cpu"

    def predict(
        self,
        before: FloatArray,
        after: FloatArray,
        statistics: Statistics | None = None,
        zoom: int | None = None,
    ) -> FloatArray:
        """Probabilities (n, 4, h, w); see ``Engine.predict``."""
        check_shapes(before, after)
        factor = self._card.magnification(None) if zoom is None else zoom
        size = pairs_at_once(before, factor)
        chunks = [slice(start, start + size) for start in range(0, len(before), size)]
        return np.concatenate(
            [self._forward(before[chunk], after[chunk], statistics, factor) for chunk in chunks]
        )

    def _forward(
        self, before: FloatArray, after: FloatArray, statistics: Statistics | None, zoom: int
    ) -> FloatArray:
        earlier, later = (to_network(date, zoom) for date in (before, after))
        if statistics is None:
            mean, spread = (values.numpy() for values in measure(earlier, later))
        else:
            mean, spread = (
                np.repeat(np.asarray(values, np.float32)[None], len(before), axis=0)
                for values in (statistics.mean, statistics.spread)
            )
        with self._turn:
            logits = self._run([earlier.numpy(), later.numpy(), mean, spread])
        height, width = before.shape[-2:]
        answer = torch.from_numpy(logits)
        return to_probabilities(answer, (height, width), zoom, self._card.temperature)


def open_openvino(loaded: LoadedModel) -> RuntimeEngine:
    """OpenVINO; the decoder in bfloat16 where the CPU has it (see ``TorchEngine``).

    Raises:
        ImportError: it is not installed.
    """
    import openvino

    core = openvino.Core()
    reduced = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads(),
        # Several processes would pin their threads to the same cores.
        "ENABLE_CPU_PINNING": False,
    }
    precisions = ("f32", "bf16" if reduced else "f32")
    # Not openvino.convert_model, which takes longer and reports its use to its makers.
    encoder, decoder = (
        core.compile_model(
            core.read_model(graph), "CPU", {**settings, "INFERENCE_PRECISION_HINT": precision}
        ).create_infer_request()
        for graph, precision in zip(encoder_and_decoder(loaded.network), precisions, strict=True)
    )

    def run(inputs: list[FloatArray]) -> FloatArray:
        features = encoder.infer(inputs, share_inputs=True, share_outputs=True)
        logits = decoder.infer([features[i] for i in range(len(features))], share_inputs=True)
        return np.asarray(logits[0], np.float32)

    version = openvino.__version__.split("-")[0]
    precision = "bfloat16" if reduced else "float32"
    return RuntimeEngine(loaded.card, f"openvino {version} on cpu in {precision}", run)


def open_onnxruntime(loaded: LoadedModel) -> RuntimeEngine:
    """ONNX Runtime in float32.

    Raises:
        ImportError: it is not installed.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads()
    # Threads that wait must not take the time of the one that reads the next pictures.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    encoder, decoder = (
        onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        for graph in encoder_and_decoder(loaded.network)
    )
    names = [entry.name for entry in decoder.get_inputs()]

    def run(inputs: list[FloatArray]) -> FloatArray:
        features = encoder.run(None, dict(zip(INPUTS, inputs, strict=True)))
        logits: FloatArray = decoder.run(None, dict(zip(names, features, strict=True)))[0]
        return logits

    description = f"onnxruntime {onnxruntime.__version__} on cpu in float32"
    return RuntimeEngine(loaded.card, description, run)
