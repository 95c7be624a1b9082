"""Pixels of two dates in, calibrated probabilities out, whatever the processor."""

from __future__ import annotations

import copy
import logging
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch.nn import functional as F

from groundbreak.inference.device import choose_device, cpu_has_bfloat16
from groundbreak.model.card import Card
from groundbreak.model.network import SiameseUNet, pad_to_stride
from groundbreak.model.weights import load_weights
from groundbreak.types import FloatArray

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation per band of the two dates of a scene, each (2, bands)."""

    mean: FloatArray
    spread: FloatArray


class Engine(Protocol):
    """What every engine can do."""

    @property
    def card(self) -> Card:
        """The card of the weights."""

    @property
    def description(self) -> str:
        """Processor and precision, for the run's record."""

    def predict(
        self,
        before: FloatArray,
        after: FloatArray,
        statistics: Statistics | None = None,
        zoom: int | None = None,
    ) -> FloatArray:
        """Probabilities (n, 4, h, w) of two dates (n, bands, h, w) in [0, 1] of any size.

        Args:
            before: earlier date, bands as in the card.
            after: later date.
            statistics: of the scene that the pictures are windows of; without them each pair is
                its own scene.
            zoom: factor of ``Card.magnification``; that of an unknown pixel size without it.
        """


class TorchEngine:
    """PyTorch on CUDA, MPS or the CPU.

    GPU trouble moves the work to the CPU with one warning; where memory runs out the batch is
    halved, and stays so.
    """

    def __init__(self, network: SiameseUNet, card: Card, device: str) -> None:
        self._card = card
        self._network = network.eval()
        self._batch_limit: int | None = None
        # A processor that failed may not even give back what it holds.
        self._spare = None if device == "cpu" else copy.deepcopy(network.state_dict())
        self._move_to(device)

    @property
    def card(self) -> Card:
        """The card of the weights."""
        return self._card

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
        """Probabilities (n, 4, h, w); see ``Engine.predict``.

        Raises:
            ValueError: the dates differ in shape.
        """
        if before.shape != after.shape or before.ndim != 4:
            raise ValueError(f"expected (n, b, h, w) twice, got {before.shape}, {after.shape}")
        factor = self._card.magnification(None) if zoom is None else zoom
        results, position = [], 0
        while position < len(before):
            size = min(self._batch_limit or len(before), len(before) - position)
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
        height, width = before.shape[-2:]
        earlier, crop = self._to_network(before, zoom)
        later, _ = self._to_network(after, zoom)
        kind = self._device.split(":", maxsplit=1)[0]
        with torch.autocast(
            kind, dtype=getattr(torch, self._precision), enabled=self._precision != "float32"
        ):
            logits = self._network(earlier, later, self._given(statistics))
        logits = logits[..., : crop[0], : crop[1]].float()
        if zoom > 1:
            logits = F.interpolate(logits, size=(height, width), mode="area")
        result: FloatArray = torch.softmax(logits / self._card.temperature, 1).cpu().numpy()
        return result

    def _to_network(self, image: FloatArray, zoom: int) -> tuple[torch.Tensor, tuple[int, int]]:
        tensor = torch.from_numpy(np.ascontiguousarray(image, np.float32)).to(self._device)
        if zoom > 1:
            tensor = F.interpolate(tensor, scale_factor=zoom, mode="bilinear", align_corners=False)
        padded, crop = pad_to_stride(tensor)
        return padded.to(memory_format=torch.channels_last), crop

    def _given(self, statistics: Statistics | None) -> tuple[torch.Tensor, torch.Tensor] | None:
        if statistics is None:
            return None
        mean, spread = (
            torch.from_numpy(np.asarray(values, np.float32)).to(self._device)
            for values in (statistics.mean, statistics.spread)
        )
        return mean, spread


def _out_of_memory(error: RuntimeError) -> bool:
    """Whether a smaller batch may help. "Illegal memory access" is no lack of memory."""
    words = ("out of memory", "not enough memory", "can't allocate memory")
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or any(word in text for word in words)


def open_engine(weights: str, device: str = "auto") -> TorchEngine:
    """Load weights onto the processor that works.

    Args:
        weights: name of shipped weights, or a path.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises:
        WeightsError: the weights cannot be used.
        ConfigError: there is no such device.
    """
    loaded = load_weights(weights)
    return TorchEngine(loaded.network, loaded.card, choose_device(device))
