"""``groundbreak train``: Lightning's command line over our module and data."""

from __future__ import annotations

import os
import warnings
from typing import Any

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")


def run(args: list[str]) -> Any:
    """Run ``fit``, ``validate`` or ``test`` as ``args`` say; see docs/training.md.

    Returns:
        Lightning's command line object, with its trainer, model and datamodule.
    """
    import torch
    from lightning.pytorch.cli import LightningCLI

    from groundbreak.model.data import PairsData
    from groundbreak.model.train import ChangeTraining

    # Which `groundbreak train` is, after all; sys.argv must stay for processes started by it.
    warnings.filterwarnings("ignore", "LightningCLI's args parameter")
    # Float32 convolutions may round to what the processor multiplies fastest.
    torch.set_float32_matmul_precision("high")
    return LightningCLI(
        ChangeTraining,
        PairsData,
        args=args,
        seed_everything_default=0,
        save_config_kwargs={"overwrite": True},
        auto_configure_optimizers=False,
    )
