"""An engine that is quick and not exact, and must first agree with an exact one on a change."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import numpy as np

from groundbreak.inference.engine import Engine, Statistics
from groundbreak.inference.kept import keep, read_kept
from groundbreak.model.card import Card
from groundbreak.types import FloatArray

log = logging.getLogger(__name__)

ALIKE = 0.25
"""Of a change: a quick engine whose probabilities differ more from the exact one's is wrong. On
validation pairs 8-bit integers were off by 0.14 at most, by 0.98 where a graph was compiled wrongly
(and by 0.26 only on flat ground)."""

SURE = 0.5
"""Probability of a change from which there is one to compare."""


ALL_WELL = b"alike"
"""What is kept of an engine that passed."""


class CheckedEngine:
    """An engine that must say the same of a change as an exact one, which answers until it has.

    An engine that does not is not used.
    """

    def __init__(self, quick: Engine, open_exact: Callable[[], Engine], name: str) -> None:
        """``open_exact`` is called at the first prediction.

        Under ``name`` is kept that all is well: later runs on this machine need not compare.
        """
        self._engine, self._open_exact, self._name = quick, open_exact, name
        self._exact: Engine | None = None
        self._checked = read_kept(name) == ALL_WELL
        self._checking = threading.Lock()

    @property
    def card(self) -> Card:
        """The card of the weights."""
        return self._engine.card

    @property
    def description(self) -> str:
        """Which engine, and whether it has answered yet."""
        waits = "; float32 answered, no change was there to compare" if self._exact else ""
        return f"{self._engine.description}{waits}"

    @property
    def device(self) -> str:
        """Where it computes."""
        return self._engine.device

    def predict(
        self,
        before: FloatArray,
        after: FloatArray,
        statistics: Statistics | None = None,
        zoom: int | None = None,
    ) -> FloatArray:
        """Probabilities (n, 4, h, w); see ``Engine.predict``."""
        with self._checking:
            if not self._checked:
                return self._compared(before, after, statistics, zoom)
        return self._engine.predict(before, after, statistics, zoom)

    def _compared(
        self, before: FloatArray, after: FloatArray, statistics: Statistics | None, zoom: int | None
    ) -> FloatArray:
        """What the exact engine says; where that is a change, the other one is asked too."""
        if self._exact is None:
            self._exact = self._open_exact()
        expected = self._exact.predict(before, after, statistics, zoom)
        if expected[:, 1:].max() >= SURE:
            found = self._engine.predict(before, after, statistics, zoom)
            error = float(np.abs(found - expected).max())
            if error <= ALIKE:
                keep(self._name, ALL_WELL)
            else:  # or NaN
                log.warning("engine %s is off by %.3f: not used", self.description, error)
                self._engine = self._exact
            self._checked, self._exact = True, None
        return expected


def arithmetic(engine: Engine) -> str:
    """What makes its answers others than those of most engines; empty for most."""
    return "8-bit integers" if isinstance(engine, CheckedEngine) else ""
