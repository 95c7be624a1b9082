"""The decoder in 8-bit integers: most of the work, and the part that bears it.

Ranges are learnt from what the encoder makes of real pictures. The encoder stays in float32: with
8-bit integers in its first layers probabilities moved by 0.5.

The file is an ONNX graph with quantise and dequantise nodes, ``NAME.int8.onnx`` beside the weights.
It bears the digest of the weights that it was made from.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundbreak.errors import WeightsError
from groundbreak.inference.graph import Graphs, load_graphs
from groundbreak.model.weights import find_weights
from groundbreak.types import FloatArray

if TYPE_CHECKING:
    import onnx

WEIGHTS = "groundbreak:weights"
"""Under which the file bears the digest of its weights."""


def quantised_decoder(graphs: Graphs, inputs: Iterable[Sequence[FloatArray]]) -> bytes:
    """The decoder of a network with its convolutions in 8-bit integers, as an ONNX graph.

    Filters by channel, symmetric; features by layer, from their least to their largest value.

    Args:
        graphs: of the network; its card has the digest of the weights.
        inputs: of the decoder, for real pictures: features of the earlier date, then of the later
            one.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    names = [entry.name for entry in onnx.load_from_string(graphs.decoder).graph.input]
    with tempfile.TemporaryDirectory() as folder:
        plain, ready, made = (str(Path(folder) / f"{name}.onnx") for name in ("a", "b", "c"))
        Path(plain).write_bytes(graphs.decoder)
        # Sizes are free, which its symbolic inference does not bear.
        quant_pre_process(plain, ready, skip_symbolic_shape=True)
        quantize_static(
            ready,
            made,
            _Feed(names, inputs),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["Conv"],
        )
        model = onnx.load(made)
    onnx.helper.set_model_props(model, {WEIGHTS: graphs.card.sha256 or ""})
    return bytes(model.SerializeToString())


def load_quantised(weights: str) -> Graphs:
    """The graphs of weights with the decoder in 8-bit integers.

    Args:
        weights: a shipped name, or a path.

    Raises:
        WeightsError: the weights cannot be used, or there is no such decoder of them.
    """
    graphs = load_graphs(weights)
    path = quantised_path(weights)
    mend = "make it with scripts/train_quantise.py, or take another --engine"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        problem = f"there is no {path.name} beside it, a decoder in 8-bit integers"
        raise WeightsError(weights, problem, mend) from None
    except OSError as error:
        raise WeightsError(str(path), f"cannot be read ({error.strerror})") from error
    if _weights_of(content, path) != graphs.card.sha256:
        raise WeightsError(str(path), "was made from other weights", mend)
    return replace(graphs, decoder=content)


def quantised_path(weights: str) -> Path:
    """Where the decoder of weights in 8-bit integers lies, if there is one.

    Raises:
        WeightsError: there are no such weights.
    """
    return find_weights(weights).with_suffix(".int8.onnx")


def _weights_of(content: bytes, path: Path) -> str | None:
    import onnx

    try:
        model: onnx.ModelProto = onnx.load_from_string(content)
        onnx.checker.check_model(model)
    except Exception as error:
        # The library does not say what it raises for a file that is none.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(str(path), f"is no ONNX graph ({reason})") from error
    return next((prop.value for prop in model.metadata_props if prop.key == WEIGHTS), None)


class _Feed:
    """Inputs as the calibration asks for them."""

    def __init__(self, names: Sequence[str], inputs: Iterable[Sequence[FloatArray]]) -> None:
        self._rows: Iterator[dict[str, Any]] = (
            dict(zip(names, values, strict=True)) for values in inputs
        )

    def get_next(self) -> dict[str, Any] | None:
        """The next inputs by name, None at the end."""
        return next(self._rows, None)
