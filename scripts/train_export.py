"""Turn a training checkpoint into a calibrated weights file with its card.

    python scripts/train_export.py runs/site-2m/checkpoints/latest.ckpt \
        --config configs/train/site-2m.yaml -o weights

``groundbreak train fit`` does this by itself when it ends; this is for a run that still goes on, or
for weights (``.safetensors``) that are to be calibrated anew. Of several files the mean is taken.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from lightning.pytorch.cli import LightningCLI
from torch import Tensor

from groundbreak.model.data import PairsData
from groundbreak.model.train import ChangeTraining
from groundbreak.model.train_export import CardConfig, WriteWeights, draft, finish
from groundbreak.model.weights import load_weights, save_weights


def main() -> None:
    """Parse, load, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path, nargs="+", help=".ckpt or .safetensors")
    config = "the configuration of the run; several as in training"
    parser.add_argument("--config", required=True, action="append", help=config)
    parser.add_argument("-o", "--output", type=Path, default=Path("weights"))
    options = parser.parse_args()
    cli = LightningCLI(
        ChangeTraining,
        PairsData,
        args=[*(f"--config={file}" for file in options.config), "--model.encoder_weights=null"],
        run=False,
        save_config_callback=None,
    )
    recipe = recipe_of(cli.trainer.callbacks)  # type: ignore[attr-defined]
    network = cli.model.averaged_network
    network.load_state_dict(mean([read(file) for file in options.weights]))
    cli.datamodule.setup("validate")
    path = options.output / f"{recipe.name}.safetensors"
    lineage = cli.model.lineage
    save_weights(network, draft(recipe, network, cli.datamodule, lineage), path)
    card = finish(path, recipe, cli.datamodule, lineage)
    for name, scores in card.metrics["val"].items():
        print(name, scores)
    print(card.temperature, card.pixel_threshold, card.metrics["operating_point"])


def recipe_of(callbacks: Sequence[object]) -> CardConfig:
    """What the configuration says of the card.

    Raises:
        SystemExit: it writes no weights.
    """
    for callback in callbacks:
        if isinstance(callback, WriteWeights):
            return callback.card
    raise SystemExit("--config: lists no callback WriteWeights, which describes the weights")


def read(file: Path) -> dict[str, Tensor]:
    """The averaged weights of a checkpoint, or those of a weights file, in single precision."""
    if file.suffix == ".safetensors":
        return load_weights(file).network.state_dict()
    # Our own file: a checkpoint holds more than tensors (the optimizer, the callbacks).
    state = torch.load(file, map_location="cpu", weights_only=True)["state_dict"]
    start = "averaged.module."
    return {name.removeprefix(start): state[name] for name in state if name.startswith(start)}


def mean(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of every tensor; counters are those of the first file.

    Raises:
        SystemExit: the files are of different networks.
    """
    first = states[0]
    for state in states[1:]:
        if {n: t.shape for n, t in state.items()} != {n: t.shape for n, t in first.items()}:
            raise SystemExit("the files are of different networks")
    return {
        name: torch.stack([state[name].float() for state in states]).mean(0)
        if tensor.is_floating_point()
        else tensor
        for name, tensor in first.items()
    }


if __name__ == "__main__":
    main()
