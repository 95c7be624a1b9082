"""The network as ONNX graphs in memory, for the runtimes that are not PyTorch."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from groundbreak.model.network import STRIDE, SiameseUNet

OPSET = 17

INPUTS = ("before", "after", "mean", "spread")
"""Dates (n, bands, h, w) and the statistics of their scenes (n, 2, bands)."""


class _Encoder(nn.Module):
    def __init__(self, network: SiameseUNet) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, before: Tensor, after: Tensor, mean: Tensor, spread: Tensor
    ) -> tuple[Tensor, ...]:
        return tuple(self.network.encode(before, after, (mean, spread)))


class _Decoder(nn.Module):
    def __init__(self, network: SiameseUNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, *features: Tensor) -> Tensor:
        return self.network.decode(list(features))


def encoder_and_decoder(network: SiameseUNet) -> tuple[bytes, bytes]:
    """Two graphs: ``INPUTS`` to the features of both dates, and those to logits
    (n, 2 x classes, h, w), see ``SiameseUNet.decode``.

    They are apart so that each can have its own precision. Any number of pairs of any size in
    multiples of ``STRIDE`` is taken.
    """
    bands = network.config.bands
    dates = [torch.rand(2, bands, 3 * STRIDE, 2 * STRIDE) for _ in range(2)]
    example = (*dates, torch.rand(2, 2, bands), torch.ones(2, 2, bands))
    encoder, decoder = _Encoder(network).eval(), _Decoder(network).eval()
    with one_thread():
        with torch.inference_mode():
            features = encoder(*example)
        names = [f"features_{i}" for i in range(len(features))]
        return (
            _traced(encoder, example, list(INPUTS), names),
            _traced(decoder, features, names, ["logits"]),
        )


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread: on pictures as small as the example the others only get in the way.

    With two threads an export took five times as long.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _traced(
    module: nn.Module, example: tuple[Tensor, ...], inputs: list[str], outputs: list[str]
) -> bytes:
    # A runtime takes one name for one number: a name for every axis.
    free = {
        name: {axis: f"{name}_{axis}" for axis in (0, 2, 3) if axis < value.ndim}
        for name, value in zip(inputs, example, strict=True)
    }
    free |= {name: {axis: f"{name}_{axis}" for axis in (0, 2, 3)} for name in outputs}
    file = io.BytesIO()
    with warnings.catch_warnings():
        # It warns of its age and of checks of the input that are not part of the graph.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            example,
            file,  # type: ignore[arg-type]  # this exporter takes files too
            input_names=inputs,
            output_names=outputs,
            opset_version=OPSET,
            dynamic_axes=free,
            # The newer exporter takes half a minute, this one a second.
            dynamo=False,
        )
    return file.getvalue()
