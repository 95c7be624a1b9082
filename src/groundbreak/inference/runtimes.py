"""OpenVINO and ONNX Runtime: the network as graphs that they optimise for the CPU at hand.

Nothing here needs PyTorch, unless the statistics of a scene are not given.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from groundbreak.inference.device import threads
from groundbreak.inference.engine import Statistics, check_shapes, pairs_at_once
from groundbreak.inference.graph import PARTS, Graphs
from groundbreak.model.card import Card
from groundbreak.model.shape import CLASSES, CLEAR, SHOWS, SLIP, STRIDE
from groundbreak.types import BoolArray, FloatArray

if TYPE_CHECKING:
    import openvino

FIXED_FROM_PX = 500_000
"""Pictures of this many pixels (as the network sees them) are worth graphs of their own size."""

SIZES_KEPT = 2
"""Graphs of so many sizes stay compiled: sites are done one after the other."""

Run = Callable[[Sequence[FloatArray]], Sequence[FloatArray]]
"""Inputs of a graph → its outputs, which the next call may overwrite."""


@dataclass(frozen=True)
class Parts:
    """The graphs of ``Graphs``, ready to run; one encoder a date, so that both answers last."""

    earlier: Run
    later: Run
    decoder: Run


PartsFor = Callable[[tuple[int, ...]], Parts]
"""Shape of a date (n, bands, h, w) as the network sees it → graphs that take it."""


class RuntimeEngine:
    """A runtime on the CPU; threads may share it, and take turns."""

    def __init__(self, card: Card, description: str, parts: PartsFor) -> None:
        """``parts`` gives the graphs that are run."""
        self._card, self._description, self.parts = card, description, parts
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
        earlier, later = (prepared(date, zoom) for date in (before, after))
        mean, spread = (
            _measured(before, after)
            if statistics is None
            else (
                np.repeat(np.asarray(values, np.float32)[None], len(before), axis=0)
                for values in (statistics.mean, statistics.spread)
            )
        )
        n, _, height, width = before.shape
        with self._turn:
            run = self.parts(earlier.shape)
            first = run.earlier([earlier, mean, spread])
            second = run.later([later, *(np.ascontiguousarray(v[:, ::-1]) for v in (mean, spread))])
            inside = (..., slice(height * zoom), slice(width * zoom))
            logits = np.array(run.decoder([*first, *second])[0][inside], np.float32)
            if self._card.network.both_orders:
                asked = shows_change(logits, self._card.temperature)
                if asked.any():  # of all: the graph may be one of this size only
                    backwards = run.decoder([*second, *first])[0][inside]
                    logits[asked] = both_orders(logits[asked], backwards[asked])
        if zoom > 1:
            logits = logits.reshape(n, -1, height, zoom, width, zoom).mean((3, 5))
        return probabilities(logits, self._card.temperature)


def prepared(image: FloatArray, zoom: int) -> FloatArray:
    """A date (n, bands, h, w), enlarged and padded to what the network takes.

    As ``torch.nn.functional.interpolate`` and ``network.pad_to_stride`` do it.
    """
    if zoom > 1:
        image = _enlarged(_enlarged(image, zoom, 2), zoom, 3)
    height, width = image.shape[2:]
    down, right = -height % STRIDE, -width % STRIDE
    mode = "reflect" if down < height and right < width else "edge"
    padded = np.pad(image, ((0, 0), (0, 0), (0, down), (0, right)), mode)  # type: ignore[call-overload]
    return np.ascontiguousarray(padded, np.float32)


def _enlarged(image: FloatArray, zoom: int, axis: int) -> FloatArray:
    """Linear between the centres of the pixels along one axis, constant beyond the outer ones."""
    length = image.shape[axis]
    place = np.maximum((np.arange(length * zoom) + 0.5) / zoom - 0.5, 0)
    low = place.astype(int)
    high = np.minimum(low + 1, length - 1)
    share = np.expand_dims((place - low).astype(np.float32), tuple(range(1, image.ndim - axis)))
    return image.take(low, axis) * (1 - share) + image.take(high, axis) * share


def shows_change(logits: FloatArray, temperature: float) -> BoolArray:
    """As ``network.shows_change``."""
    logits = logits / np.float32(temperature)
    odds = (_log_sum(logits[:, 1:]) - logits[:, 0]).max(axis=(1, 2))
    return np.asarray(odds >= math.log(SHOWS / (1 - SHOWS)))


def both_orders(logits: FloatArray, backwards: FloatArray) -> FloatArray:
    """As ``network.both_orders``."""
    others = [*range(SLIP), *range(SLIP + 1, logits.shape[1])]
    mixed = logits.copy()
    mixed[:, others] += backwards[:, [0, 2, 1, *others[SLIP:]]]
    mixed[:, others] /= 2
    mixed[:, SLIP] += _log_sum(mixed[:, others]) - _log_sum(logits[:, others])
    return mixed


def probabilities(logits: FloatArray, temperature: float) -> FloatArray:
    """As ``network.class_probabilities``."""
    shares = logits / np.float32(temperature)
    shares -= shares.max(axis=1, keepdims=True)
    np.exp(shares, out=shares)
    shares /= shares.sum(axis=1, keepdims=True)
    if shares.shape[1] > CLASSES:
        odds = (logits[:, 2] - logits[:, 1]) / np.float32(temperature)
        up = 1 / (1 + np.exp(np.clip(odds, -60, 60)))  # without overflow
        for kind, share in ((1, up), (2, 1 - up)):
            shares[:, kind] += shares[:, CLASSES] * np.where(share >= CLEAR, share, 0)
    return shares[:, :CLASSES]


def _log_sum(logits: FloatArray) -> FloatArray:
    most = logits.max(axis=1)
    return most + np.log(np.exp(logits - most[:, None]).sum(axis=1))


def _measured(before: FloatArray, after: FloatArray) -> tuple[FloatArray, FloatArray]:
    import torch

    from groundbreak.model.network import measure

    dates = (np.ascontiguousarray(date, np.float32) for date in (before, after))
    mean, spread = measure(*map(torch.from_numpy, dates))
    return mean.numpy(), spread.numpy()


def open_openvino(graphs: Graphs, *, quantised: bool = False) -> RuntimeEngine:
    """OpenVINO; the decoder in bfloat16 where the CPU has it (see ``TorchEngine``).

    Graphs are compiled when pictures come: a run that has nothing to compute needs none. Where the
    decoder is ``quantised``, always for pictures of their size: on a CPU with AVX2 alone OpenVINO
    2026.4 answers wrongly with a graph in 8-bit integers that takes any size.

    Raises:
        ImportError: it is not installed.
    """
    import openvino

    core = openvino.Core()
    reduced = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")

    @lru_cache(SIZES_KEPT)
    def compiled(shape: tuple[int, ...] | None) -> Parts:
        encoder, decoder = _compiled(core, graphs, shape, reduced=reduced)
        return Parts(_runner(encoder), _runner(encoder), _runner(decoder))

    def parts(shape: tuple[int, ...]) -> Parts:
        fixed = quantised or shape[0] * shape[2] * shape[3] >= FIXED_FROM_PX
        return compiled(shape if fixed else None)

    version = openvino.__version__.split("-")[0]
    precision = "8-bit integers" if quantised else "bfloat16" if reduced else "float32"
    return RuntimeEngine(graphs.card, f"openvino {version} on cpu in {precision}", parts)


def _compiled(
    core: openvino.Core, graphs: Graphs, shape: tuple[int, ...] | None, *, reduced: bool
) -> list[openvino.CompiledModel]:
    """Encoder and decoder for dates of one shape, or of any.

    Of one shape they take a third less memory and a tenth less time, and as long to compile.
    """
    # Not openvino.convert_model, which takes longer and reports its use to its makers.
    encoder, decoder = (core.read_model(getattr(graphs, part)) for part in PARTS)
    if shape is not None:
        statistics = [shape[0], 2, shape[1]]
        _fix(encoder, [[*shape], statistics, statistics])
        features = [[*output.shape] for output in encoder.outputs]
        _fix(decoder, features * 2)
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads(),
        # Several processes would pin their threads to the same cores.
        "ENABLE_CPU_PINNING": False,
    }
    precisions = ("f32", "bf16" if reduced else "f32")
    return [
        core.compile_model(model, "CPU", {**settings, "INFERENCE_PRECISION_HINT": precision})
        for model, precision in zip((encoder, decoder), precisions, strict=True)
    ]


def _fix(model: openvino.Model, shapes: Sequence[Sequence[int]]) -> None:
    names = [entry.any_name for entry in model.inputs]
    model.reshape({name: list(shape) for name, shape in zip(names, shapes, strict=True)})


def _runner(model: openvino.CompiledModel) -> Run:
    request = model.create_infer_request()

    def run(inputs: Sequence[FloatArray]) -> Sequence[FloatArray]:
        found = request.infer(list(inputs), share_inputs=True, share_outputs=True)
        return [found[number] for number in range(len(found))]

    return run


def open_onnxruntime(graphs: Graphs) -> RuntimeEngine:
    """ONNX Runtime in float32.

    Raises:
        ImportError: it is not installed.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads()
    # Threads that wait must not take the time of the one that reads the next pictures.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")

    def runner(graph: bytes) -> Run:
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        names = [entry.name for entry in session.get_inputs()]
        return lambda inputs: session.run(None, dict(zip(names, inputs, strict=True)))

    encoder, decoder = (runner(getattr(graphs, part)) for part in PARTS)
    description = f"onnxruntime {onnxruntime.__version__} on cpu in float32"
    parts = Parts(encoder, encoder, decoder)
    return RuntimeEngine(graphs.card, description, lambda _shape: parts)
