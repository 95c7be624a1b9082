"""Which engine runs the network: the one that was named, or the fastest of a short trial.

What a trial found is kept for later runs on this machine.
"""

from __future__ import annotations

import hashlib
import json
import logging
import platform
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec

import numpy as np

from groundbreak import __version__
from groundbreak.errors import ConfigError
from groundbreak.inference.checked import CheckedEngine
from groundbreak.inference.device import check_device, choose_device, surely_cpu, threads
from groundbreak.inference.engine import Engine, Statistics
from groundbreak.inference.graph import Graphs, load_graphs
from groundbreak.inference.kept import keep, read_kept
from groundbreak.inference.quantise import load_quantised
from groundbreak.inference.runtimes import open_onnxruntime, open_openvino
from groundbreak.model.card import Card
from groundbreak.model.weights import load_weights, read_card
from groundbreak.types import FloatArray

log = logging.getLogger(__name__)

RUNTIMES: Mapping[str, Callable[[Graphs], Engine]] = {
    "openvino": open_openvino,
    "onnxruntime": open_onnxruntime,
}
"""Engines that are extras, by the name of their package."""

INT8 = "openvino-int8"
"""OpenVINO with the decoder in 8-bit integers: faster, and not quite the same answers. ``auto``
does not take it."""

ENGINES = ("auto", "torch", *RUNTIMES, INT8)

TRIAL_FROM_PX = 8_000_000
"""Pixels of the network from which a trial, of some five seconds, pays: PyTorch takes 7 s for them
on two cores with bfloat16, and a minute on two without, where OpenVINO takes half of it."""

TRIAL_SIDE = 512
"""Pixels of the network; the trial is on a piece of the first pictures."""

TRIAL_ROUNDS = 3

SAME = 0.02
"""An engine whose probabilities differ more from PyTorch's is wrong, not fast."""


@dataclass(frozen=True)
class EngineChoice:
    """What was asked for.

    Attributes:
        name: one of ``ENGINES``.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``; only PyTorch knows others than the CPU.
        work_px: pixels that the network will have to look at, enlarged as it sees them.
    """

    name: str = "auto"
    device: str = "auto"
    work_px: float = 0.0

    def check(self) -> None:
        """Whether it can be had here.

        Raises:
            ConfigError: there is no such engine or kind of device, the engine is not installed,
                or it does not compute on that device.
        """
        if self.name not in ENGINES:
            raise ConfigError("--engine", f"unknown '{self.name}'", f"use {', '.join(ENGINES)}")
        check_device(self.device)
        package = package_of(self.name)
        if package is None:
            return
        if self.device not in ("auto", "cpu"):
            raise ConfigError("--engine", f"{self.name} does not compute on {self.device}")
        if not installed(package):
            mend = f"pip install 'groundbreak[{package}]'"
            raise ConfigError("--engine", f"{package} is not installed", mend)


def open_engine(weights: str, choice: EngineChoice) -> Engine:
    """Load weights into an engine.

    Args:
        weights: name of shipped weights, or a path.
        choice: what was asked for.

    Raises:
        WeightsError: the weights cannot be used.
        ConfigError: see ``EngineChoice.check``.
    """
    choice.check()
    if choice.name in RUNTIMES:
        return RUNTIMES[choice.name](load_graphs(weights))
    if choice.name == INT8:
        graphs = load_quantised(weights)
        return CheckedEngine(
            open_openvino(graphs, quantised=True),
            lambda: open_openvino(load_graphs(weights)),
            _trial_name(graphs.card, hashlib.sha256(graphs.decoder).hexdigest()),
        )
    if choice.name == "torch":
        return open_torch(weights, choice.device)
    found = _trial_before(read_card(weights)) if surely_cpu(choice.device) else None
    if found is not None:
        try:
            chosen = open_engine(weights, EngineChoice(found["name"], "cpu"))
        except Exception as problem:
            # Whatever it is: what opened in an earlier run may not open now.
            log.warning("engine %s of an earlier run does not open: %s", found["name"], problem)
        else:
            why = f"{found['why']}, in an earlier run"
            return AutoEngine(chosen, weights, choice.work_px, why)
    return AutoEngine(open_torch(weights, choice.device), weights, choice.work_px)


def open_torch(weights: str, device: str) -> Engine:
    """PyTorch on a device, or on the CPU where it does not work."""
    from groundbreak.inference.torch_engine import TorchEngine

    loaded = load_weights(weights)
    return TorchEngine(loaded.network, loaded.card, choose_device(device))


class AutoEngine:
    """Chooses when it is first asked to predict, so that a finished run has no trial."""

    def __init__(self, plain: Engine, weights: str, work_px: float, why: str = "") -> None:
        """``plain`` is PyTorch; with ``why`` it is the engine that was chosen before."""
        self._plain, self._weights, self._work_px = plain, weights, work_px
        self._chosen: Engine | None = plain if why else None
        self._why = why
        self._choosing = threading.Lock()

    @property
    def card(self) -> Card:
        """The card of the weights."""
        return self._plain.card

    @property
    def description(self) -> str:
        """Which engine, and why."""
        if self._chosen is None:
            return "auto, not needed"
        return f"{self._chosen.description} ({self._why})"

    @property
    def device(self) -> str:
        """Where it computes, or will."""
        return (self._chosen or self._plain).device

    def predict(
        self,
        before: FloatArray,
        after: FloatArray,
        statistics: Statistics | None = None,
        zoom: int | None = None,
    ) -> FloatArray:
        """Probabilities (n, 4, h, w); see ``Engine.predict``."""
        with self._choosing:
            if self._chosen is None:
                factor = self.card.magnification(None) if zoom is None else zoom
                piece = np.s_[:1, :, : TRIAL_SIDE // factor, : TRIAL_SIDE // factor]
                self._chosen, self._why = self._choose(
                    lambda engine: engine.predict(before[piece], after[piece], statistics, factor)
                )
                self._plain = self._chosen  # what is not needed gives its memory back
                log.info("engine: %s", self.description)
        return self._chosen.predict(before, after, statistics, zoom)

    def _choose(self, predict: Callable[[Engine], FloatArray]) -> tuple[Engine, str]:
        if self._plain.device != "cpu":
            return self._plain, "chosen because the device works"
        names = [name for name in RUNTIMES if installed(name)]
        if not names:
            return self._plain, "the only engine installed"
        if self._work_px < TRIAL_FROM_PX:
            return self._plain, "too little work for a trial of engines"
        engines = {"torch": self._plain}
        expected = predict(self._plain)
        for name in names:
            try:
                engine = RUNTIMES[name](load_graphs(self._weights))
                error = float(np.abs(predict(engine) - expected).max())
            except Exception as problem:
                # Whatever it is: there is another engine.
                log.warning("engine %s failed its trial: %s", name, problem)
                continue
            if not error <= SAME:  # nor if it is NaN
                log.warning("engine %s is off by %.3f: not used", name, error)
                continue
            engines[name] = engine
        seconds = _fastest_of_rounds(engines, predict)
        best = min(seconds, key=lambda name: seconds[name])
        order = sorted(seconds.items(), key=lambda item: item[1])
        told = ", ".join(f"{name} {taken:.3f} s" for name, taken in order)
        why = f"fastest of a trial: {told}"
        keep(_trial_name(self.card), json.dumps({"name": best, "why": why}).encode())
        return engines[best], why


def _fastest_of_rounds(
    engines: Mapping[str, Engine], predict: Callable[[Engine], FloatArray]
) -> dict[str, float]:
    """Least seconds of each engine; they take turns, so that other load hits all alike."""
    seconds = dict.fromkeys(engines, float("inf"))
    for _ in range(TRIAL_ROUNDS):
        for name, engine in engines.items():
            began = time.perf_counter()
            predict(engine)
            seconds[name] = min(seconds[name], time.perf_counter() - began)
    return seconds


def package_of(name: str) -> str | None:
    """The extra that an engine needs, None if it needs none."""
    package = "openvino" if name == INT8 else name
    return package if package in RUNTIMES else None


def installed(package: str) -> bool:
    """Whether a runtime can be used: it and the package that writes its graphs."""
    return all(find_spec(name) is not None for name in (package, "onnx"))


def _trial_before(card: Card) -> dict[str, str] | None:
    """Name of the engine that a trial found for these weights, and why it did; None if unknown."""
    try:
        found = json.loads(read_kept(_trial_name(card)) or b"")
        return {key: str(found[key]) for key in ("name", "why")}
    except (ValueError, KeyError, TypeError):
        return None


def _trial_name(card: Card, *more: str) -> str:
    """Under which the outcome of a trial is kept: it holds for this machine as it is now.

    And for ``more`` that it depends on.
    """
    packages = ("torch", *(name for name in RUNTIMES if installed(name)))
    basis = [
        __version__,
        card.sha256,
        [platform.node(), platform.machine(), threads()],
        [[name, metadata.version(name)] for name in packages],
        *more,
    ]
    return f"trials/{hashlib.sha256(json.dumps(basis).encode()).hexdigest()[:32]}.json"
