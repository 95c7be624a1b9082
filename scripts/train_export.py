"""Turn a training checkpoint into a calibrated weights file with its card.

    python scripts/train_export.py runs/site-2m/checkpoints/last.ckpt \
        --config configs/train/site-2m.yaml -o weights

``groundbreak train fit`` does this by itself when it ends; this is for a run that still goes on, or
for weights (``.safetensors``) that are to be calibrated anew.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from lightning.pytorch.cli import LightningCLI

from groundbreak.model.data import PairsData
from groundbreak.model.train import ChangeTraining
from groundbreak.model.train_export import WriteWeights, draft, finish
from groundbreak.model.weights import load_weights, save_weights


def main() -> None:
    """Parse, load, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path, help=".ckpt or .safetensors")
    parser.add_argument("--config", required=True, help="the configuration of the run")
    parser.add_argument("-o", "--output", type=Path, default=Path("weights"))
    options = parser.parse_args()
    cli = LightningCLI(
        ChangeTraining,
        PairsData,
        args=["--config", options.config, "--model.encoder_weights=null"],
        run=False,
        save_config_callback=None,
    )
    callbacks = cli.trainer.callbacks  # type: ignore[attr-defined]
    recipe = next(c.card for c in callbacks if isinstance(c, WriteWeights))
    if options.checkpoint.suffix == ".safetensors":
        network = load_weights(options.checkpoint).network
    else:
        # Our own file: a checkpoint holds more than tensors (the optimizer, the callbacks).
        checkpoint = torch.load(options.checkpoint, map_location="cpu", weights_only=True)
        cli.model.load_state_dict(checkpoint["state_dict"])
        network = cli.model.averaged_network
    cli.datamodule.setup("validate")
    path = options.output / f"{recipe.name}.safetensors"
    save_weights(network, draft(recipe, network, cli.datamodule), path)
    card = finish(path, recipe, cli.datamodule)
    for name, scores in card.metrics["val"].items():
        print(name, scores)
    print(card.temperature, card.pixel_threshold, card.metrics["operating_point"])


if __name__ == "__main__":
    main()
