"""The network in PyTorch, on whichever processor works."""

from __future__ import annotations

import copy
import logging
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from groundbreak.inference.engine import Statistics, check_shapes, pairs_at_once
from groundbreak.model.card import Card
from groundbreak.model.network import (
    SiameseUNet,
    both_orders,
    class_probabilities,
    measure,
    pad_to_stride,
    shows_change,
)
from groundbreak.model.precision import cpu_has_bfloat16
from groundbreak.types import FloatArray

log = logging.getLogger(__name__)


class TorchEngine:
    """PyTorch on CUDA, MPS or the CPU.

    GPU trouble moves the work to the CPU with one warning; where memory runs out the batch is
    halved, and stays so.

    A CPU that multiplies bfloat16 does so in the decoder only, most of the work. In the
    first layers of the encoder rounding changed probabilities by up to 0.04; in the decoder
    by 0.005.
    """

    def __init__(self, network: SiameseUNet, card: Card, device: str) -> None:
        self._card = card
        self._network = folded(network.eval())
        self._batch_limit: int | None = None
        # A processor that failed may not even give back what it holds.
        self._spare = None if device == "cpu" else copy.deepcopy(self._network.state_dict())
        self._move_to(device)

    @property
    def card(self) -> Card:
        """The card of the weights."""
        return self._card

    @property
    def device(self) -> str:
        """Where it computes now."""
        return self._device

    @property
    def description(self) -> str:
        """Processor and precision."""
        return f"torch {torch.__version__} on {self._device} in {self._precision}"

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
        results, position = [], 0
        while position < len(before):
            most = pairs_at_once(before, factor) if self._device == "cpu" else len(before)
            size = min(self._batch_limit or most, most, len(before) - position)
            chunk = slice(position, position + size)
            try:
                results.append(self._forward(before[chunk], after[chunk], statistics, factor))
            except RuntimeError as error:
                self._recover(error, size)
                continue
            position += size
        return np.concatenate(results)

    def _recover(self, error: RuntimeError, size: int) -> None:
        """Make the next try cheaper, or raise the error again."""
        if _out_of_memory(error) and size > 1:
            self._batch_limit = size // 2
            log.warning("out of memory on %s: batch of %d", self._device, self._batch_limit)
            if self._device.startswith("cuda"):
                torch.cuda.empty_cache()
            return
        if self._device == "cpu":
            raise error
        log.warning("%s failed (%s): going on with the CPU", self._device, error)
        if self._spare is not None:
            self._network.to_empty(device="cpu")
            self._network.load_state_dict(self._spare)
        self._move_to("cpu")

    def _move_to(self, device: str) -> None:
        self._device = device
        if device.startswith("cuda"):
            self._precision = "float16"
        else:
            self._precision = "bfloat16" if device == "cpu" and cpu_has_bfloat16() else "float32"
        self._network.to(device)
        for parameter in self._network.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def _forward(
        self, before: FloatArray, after: FloatArray, statistics: Statistics | None, zoom: int
    ) -> FloatArray:
        earlier, later = (
            self._prepared(date, zoom).to(memory_format=torch.channels_last)
            for date in (before, after)
        )
        given = self._given(statistics) or measure(*(self._on(date) for date in (before, after)))
        with self._reduced(self._device != "cpu"):
            features = self._network.encode(earlier, later, given)
        with self._reduced():
            logits = self._decoded(features, (before.shape[-2] * zoom, before.shape[-1] * zoom))
        if zoom > 1:
            logits = F.interpolate(logits, size=before.shape[-2:], mode="area")
        answer: FloatArray = class_probabilities(logits, self._card.temperature).cpu().numpy()
        return answer

    def _decoded(self, features: list[Tensor], size: tuple[int, int]) -> Tensor:
        """Logits in single precision, cut to a size: of both orders of the dates where it pays."""
        rows, columns = map(slice, size)
        logits = self._network.in_order(features)[..., rows, columns].float()
        if not self._card.network.both_orders:
            return logits
        asked = shows_change(logits, self._card.temperature)
        if asked.any():
            chosen = [level[asked.repeat(2)] for level in features]  # all earlier, then all later
            backwards = self._network.in_order(chosen, backwards=True)[..., rows, columns]
            logits[asked] = both_orders(logits[asked], backwards)
        return logits

    def _prepared(self, image: FloatArray, zoom: int) -> Tensor:
        """A date (n, bands, h, w), enlarged and padded to what the network takes."""
        tensor = self._on(image)
        if zoom > 1:
            tensor = F.interpolate(tensor, scale_factor=zoom, mode="bilinear", align_corners=False)
        return pad_to_stride(tensor)[0]

    def _on(self, image: FloatArray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(image, np.float32)).to(self._device)

    def _reduced(self, here: bool = True) -> torch.autocast:
        """Lower precision, where it pays and ``here``."""
        kind = self._device.split(":", maxsplit=1)[0]
        enabled = here and self._precision != "float32"
        return torch.autocast(kind, dtype=getattr(torch, self._precision), enabled=enabled)

    def _given(self, statistics: Statistics | None) -> tuple[torch.Tensor, torch.Tensor] | None:
        if statistics is None:
            return None
        mean, spread = (
            torch.from_numpy(np.asarray(values, np.float32)).to(self._device)
            for values in (statistics.mean, statistics.spread)
        )
        return mean, spread


def folded(network: SiameseUNet) -> SiameseUNet:
    """A copy whose convolutions do the work of the normalisations that follow them."""
    network = copy.deepcopy(network)
    for module in network.modules():
        children = list(module.named_children())
        for (name, first), (other, second) in pairwise(children):
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(first, second))
                setattr(module, other, nn.Identity())
    return network


def _out_of_memory(error: RuntimeError) -> bool:
    """Whether a smaller batch may help. "Illegal memory access" is no lack of memory."""
    words = ("out of memory", "not enough memory", "can't allocate memory")
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or any(word in text for word in words)
