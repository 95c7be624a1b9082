"""The engines side by side on this machine: seconds, speed-up, and how far they are from float32.

    python scripts/benchmark_engines.py                       # site-2m, one window of 1024 px
    python scripts/benchmark_engines.py --weights area-10m --side 512 --rounds 10

The first line is plain PyTorch in float32, as the network is when it is loaded; ``auto`` chooses
by its trial. The engines take turns, so that other load hits all alike; the least and the median
of the rounds are told.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from groundbreak.inference.choose import ENGINES, EngineChoice, installed, open_engine, package_of
from groundbreak.inference.engine import Statistics
from groundbreak.model.network import class_probabilities
from groundbreak.model.shape import STRIDE
from groundbreak.model.weights import LoadedModel, load_weights
from groundbreak.simulate.pairs import render_pair
from groundbreak.types import FloatArray

PLAIN = "torch float32 eager"


def main() -> None:
    options = parse()
    if options.threads:
        torch.set_num_threads(options.threads)
    loaded = load_weights(options.weights)
    before, after = pictures(options.side, options.batch, len(loaded.card.bands))
    scene = Statistics(*(_of_dates(before, after, kind) for kind in (np.mean, np.std)))
    runs: dict[str, Callable[[], FloatArray]] = {PLAIN: plain(loaded, before, after, scene)}
    engines = {}
    for name in ENGINES:
        if (package := package_of(name)) and not installed(package):
            continue
        choice = EngineChoice(name, "cpu", work_px=float("inf"))
        engines[name] = engine = open_engine(options.weights, choice)
        runs[name] = partial(engine.predict, before, after, scene, 1)
    answers = {name: run() for name, run in runs.items()}  # also the warm-up, and the trial
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(options.rounds):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - began)
    pixels = options.batch * options.side**2 / 1e6
    print(f"{torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}, {options.weights}")
    print("| engine | least s | median s | megapixels/s | times faster | off by |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, taken in seconds.items():
        least, error = min(taken), np.abs(answers[name] - answers[PLAIN]).max()
        columns = [f"{least:.3f}", f"{statistics.median(taken):.3f}", f"{pixels / least:.2f}"]
        columns += [f"{min(seconds[PLAIN]) / least:.2f}", f"{error:.4f}"]
        print(f"| {' | '.join([name, *columns])} |")
    for name, engine in engines.items():
        print(f"{name}: {engine.description}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", default="site-2m", help="shipped name or file")
    parser.add_argument("--side", type=int, default=1024, help="of the pictures, in pixels")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, help="default: as PyTorch finds")
    options = parser.parse_args()
    if options.side % STRIDE:
        parser.error(f"--side: not a multiple of {STRIDE}")
    return options


def pictures(side: int, batch: int, bands: int) -> tuple[FloatArray, FloatArray]:
    """Two dates (batch, bands, side, side) of a simulated coast; red is the fourth band."""
    order = [0, 1, 2, 0][:bands]
    made = render_pair(5, side, 0.5, place="coast")
    dates = (np.moveaxis(date, 2, 0)[order] for date in made[:2])
    before, after = (np.stack([np.float32(date / 255)] * batch) for date in dates)
    return before, after


def _of_dates(before: FloatArray, after: FloatArray, kind: Callable[..., FloatArray]) -> FloatArray:
    return np.stack([kind(date, axis=(0, 2, 3)) for date in (before, after)])


def plain(
    loaded: LoadedModel, before: FloatArray, after: FloatArray, scene: Statistics
) -> Callable[[], FloatArray]:
    dates = [torch.from_numpy(date) for date in (before, after)]
    given = (torch.from_numpy(scene.mean), torch.from_numpy(scene.spread))

    @torch.inference_mode()
    def run() -> FloatArray:
        logits = loaded.network(*dates, given)
        return class_probabilities(logits, loaded.card.temperature).numpy()

    return run


if __name__ == "__main__":
    main()
