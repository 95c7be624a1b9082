"""Make the decoder of weights in 8-bit integers, for ``--engine openvino-int8``.

    python scripts/train_quantise.py site-2m --sets levir mshs_bcd sejong_k3a joplin
    python scripts/train_quantise.py area-10m --sets oscd mshs_s2

The ranges of its features are those of windows of training pairs, half of them around a labelled
change. It is written beside the weights; whether it does as well is asked with ``groundbreak
evaluate --split val --engine openvino-int8``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from groundbreak.atomic import atomic_path
from groundbreak.evaluate.predict import Predictor
from groundbreak.inference.graph import Graphs, load_graphs
from groundbreak.inference.quantise import quantised_decoder, quantised_path
from groundbreak.inference.runtimes import Parts, RuntimeEngine, open_onnxruntime
from groundbreak.pairs.index import PairArrays, PairRecord, read_index, read_pair
from groundbreak.types import FloatArray

SIDE = 512
"""Pixels of the network."""


def main() -> None:
    """Parse, sample, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", help="a shipped name, or a .safetensors file")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/pairs"))
    parser.add_argument("--sets", nargs="+", required=True)
    parser.add_argument("--windows", type=int, default=24, help="shared out evenly to the sets")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, help="default: beside the weights")
    options = parser.parse_args()
    graphs = load_graphs(options.weights)
    rng = np.random.default_rng(options.seed)
    records = [r for r in read_index(options.data) if r.split == "train"]
    chosen = [
        record
        for name in options.sets
        for record in drawn(records, name, options.windows // len(options.sets), rng)
    ]
    decoder = quantised_decoder(graphs, features(graphs, chosen, rng))
    output = options.output or quantised_path(options.weights)
    with atomic_path(output) as path:
        path.write_bytes(decoder)
    print(f"{output}: {len(decoder) / 1e6:.1f} MB, from {len(chosen)} windows")


def drawn(
    records: Sequence[PairRecord], name: str, count: int, rng: np.random.Generator
) -> list[PairRecord]:
    """So many pairs of a set; again the same ones where it has fewer.

    Raises:
        SystemExit: it has none.
    """
    pool = [record for record in records if record.set == name]
    if not pool:
        raise SystemExit(f"--sets: no training pair of a set {name}")
    order = rng.permutation(len(pool))
    return [pool[order[n % len(pool)]] for n in range(count)]


def features(
    graphs: Graphs, records: Sequence[PairRecord], rng: np.random.Generator
) -> Iterator[list[FloatArray]]:
    """What the decoder is given for one window of each pair, in the true order of the dates."""
    plain = open_onnxruntime(graphs)
    given: list[list[FloatArray]] = []

    def parts(shape: tuple[int, ...]) -> Parts:
        own = plain.parts(shape)

        def decoder(inputs: Sequence[FloatArray]) -> Sequence[FloatArray]:
            given.append([np.array(level) for level in inputs])
            return own.decoder(inputs)

        return replace(own, decoder=decoder)

    predict = Predictor(RuntimeEngine(graphs.card, "calibration", parts))
    for number, record in enumerate(records):
        pair = read_pair(record)
        side = SIDE // graphs.card.magnification(pair.gsd_m)
        given.clear()
        predict(window(pair, side, rng, on_change=number % 2 == 0))
        yield given[0]


def window(pair: PairArrays, side: int, rng: np.random.Generator, *, on_change: bool) -> PairArrays:
    """A square of a pair by chance, or around a pixel of a labelled change if it has one."""
    height, width = pair.label.shape
    places = np.argwhere((pair.label > 0) & (pair.label < 255)) if on_change else np.empty((0, 2))
    centre = (
        places[rng.integers(len(places))] if len(places) else rng.integers((0, 0), (height, width))
    )
    top, left = (
        int(np.clip(middle - side // 2, 0, max(0, length - side)))
        for middle, length in zip(centre, (height, width), strict=True)
    )
    inside = np.s_[..., top : top + side, left : left + side]
    return replace(
        pair, before=pair.before[inside], after=pair.after[inside], label=pair.label[inside]
    )


if __name__ == "__main__":
    main()
