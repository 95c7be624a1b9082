"""The network as ONNX graphs, for the runtimes that are not PyTorch.

Writing them takes PyTorch and the packages that the network is made of, which are seconds and half
a gigabyte to load. They are therefore kept, and the next run needs neither.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import groundbreak
from groundbreak.inference.kept import keep, read_kept
from groundbreak.model.card import Card
from groundbreak.model.shape import STRIDE
from groundbreak.model.weights import LoadedModel, load_weights, read_card

if TYPE_CHECKING:
    from torch import Tensor, nn

    from groundbreak.model.network import SiameseUNet

OPSET = 17

PARTS = ("encoder", "decoder")


@dataclass(frozen=True)
class Graphs:
    """A network in two parts, so that each can have its own precision. Any size is taken.

    Attributes:
        card: of the weights.
        encoder: a date (n, bands, h, w), sides in multiples of ``STRIDE``, and mean and spread
            (n, 2, bands) of the scene, those of the date first, to its features.
        decoder: features of the earlier date, then of the later one, to logits
            (n, classes, h, w) of that order of the dates.
    """

    card: Card
    encoder: bytes
    decoder: bytes


def load_graphs(weights: str) -> Graphs:
    """The graphs of weights: those that an earlier run kept, else new ones, which are kept.

    Args:
        weights: a shipped name, or a path.

    Raises:
        WeightsError: the weights cannot be used.
    """
    card = read_card(weights)
    names = {part: f"graphs/{_digest(card)}/{part}.onnx" for part in PARTS}
    kept = {part: content for part, name in names.items() if (content := read_kept(name))}
    if len(kept) == len(PARTS):
        return Graphs(card, **kept)
    graphs = write_graphs(load_weights(weights))
    for part, name in names.items():
        keep(name, getattr(graphs, part))
    return graphs


def write_graphs(loaded: LoadedModel) -> Graphs:
    """The graphs of a network."""
    import torch

    encoder, decoder = _modules(loaded.network)
    bands = loaded.network.config.bands
    date = torch.rand(2, bands, 3 * STRIDE, 2 * STRIDE)
    example = (date, torch.rand(2, 2, bands), torch.ones(2, 2, bands))
    with one_thread():
        with torch.inference_mode():
            features = encoder(*example)
        return Graphs(
            loaded.card,
            _traced(encoder, example),
            _traced(decoder, (*features, *features)),
        )


def _modules(network: SiameseUNet) -> tuple[nn.Module, nn.Module]:
    import torch
    from torch import nn

    from groundbreak.model.network import standardise

    class Part(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

    class Encoder(Part):
        def forward(self, date: Tensor, mean: Tensor, spread: Tensor) -> tuple[Tensor, ...]:
            normal, _ = standardise(date, date, (mean, spread), network.config.standardise)
            return tuple(self.network.encoder(normal)[1:])

    class Decoder(Part):
        def forward(self, *features: Tensor) -> Tensor:
            levels = len(features) // 2
            pairs = zip(features[:levels], features[levels:], strict=True)
            return self.network.in_order([torch.cat(pair) for pair in pairs])

    return Encoder().eval(), Decoder().eval()


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread: on pictures as small as the example the others only get in the way.

    With two threads an export took five times as long.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _traced(module: nn.Module, example: tuple[Tensor, ...]) -> bytes:
    import torch

    names = [f"input_{number}" for number in range(len(example))]
    # A runtime takes one name for one number: a name for every axis.
    free = {
        name: {axis: f"{name}_{axis}" for axis in range(value.ndim) if axis != 1}
        for name, value in zip(names, example, strict=True)
    }
    file = io.BytesIO()
    with warnings.catch_warnings():
        # It warns of its age and of checks of the input that are not part of the graph.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            example,
            file,  # type: ignore[arg-type]  # this exporter takes files too
            input_names=names,
            opset_version=OPSET,
            dynamic_axes=free,
            # The newer exporter takes half a minute, this one a second.
            dynamo=False,
        )
    return file.getvalue()


def _digest(card: Card) -> str:
    """Of all that the graphs depend on."""
    package = Path(groundbreak.__file__).parent
    digest = hashlib.sha256()
    for code in ("inference/graph.py", "model/network.py"):
        digest.update((package / code).read_bytes())
    for library in ("torch", "segmentation-models-pytorch"):
        digest.update(metadata.version(library).encode())
    digest.update(f"{card.sha256} {card.network}".encode())
    return digest.hexdigest()[:32]
