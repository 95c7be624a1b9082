"""``groundbreak train``: Lightning's command line over our module and data."""

from __future__ import annotations

import difflib
import logging
import os
import re
import warnings
from typing import Any

from groundbreak.errors import ConfigError

log = logging.getLogger(__name__)

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")


def run(args: list[str]) -> Any:
    """Run ``fit``, ``validate`` or ``test`` as ``args`` say; see docs/training.md.

    Returns:
        Lightning's command line object, with its trainer, model and datamodule.

    Raises:
        ConfigError: a key or a value cannot be used.
    """
    import torch
    from jsonargparse import ArgumentError
    from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

    from groundbreak.model.data import PairsData
    from groundbreak.model.train import ChangeTraining

    keys: set[str] = set()

    class Command(LightningCLI):
        @staticmethod
        def subcommands() -> dict[str, set[str]]:
            return {
                name: skipped
                for name, skipped in LightningCLI.subcommands().items()
                if name != "predict"  # it would need a loader that we do not have
            }

        def before_instantiate_classes(self) -> None:
            trainer = self.config[self.subcommand].trainer if self.subcommand else None
            if trainer is not None:
                trainer.precision = affordable(trainer.precision, trainer.accelerator)

        def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
            keys.update(action.dest for action in parser._actions)

    # Which `groundbreak train` is, after all; sys.argv must stay for processes started by it.
    warnings.filterwarnings("ignore", "LightningCLI's args parameter")
    # Float32 convolutions may round to what the processor multiplies fastest.
    torch.set_float32_matmul_precision("high")
    try:
        return Command(
            ChangeTraining,
            PairsData,
            args=args,
            seed_everything_default=0,
            save_config_kwargs={"overwrite": True},
            auto_configure_optimizers=False,
            parser_kwargs={"prog": "groundbreak train", "exit_on_error": False},
        )
    except ArgumentError as error:
        problem = str(error)
        raise ConfigError("groundbreak train", problem, _nearest(problem, keys)) from error


def affordable(precision: Any, accelerator: Any) -> Any:
    """The precision to train in: ``bf16-mixed`` only where the processor computes it.

    Args:
        precision: as asked for.
        accelerator: as asked for, ``auto`` or the name of one.
    """
    from lightning.pytorch.accelerators import CUDAAccelerator, MPSAccelerator

    from groundbreak.model.precision import cpu_has_bfloat16

    others = CUDAAccelerator.is_available() or MPSAccelerator.is_available()
    on_cpu = accelerator == "cpu" or (accelerator == "auto" and not others)
    if precision != "bf16-mixed" or not on_cpu or cpu_has_bfloat16():
        return precision
    log.warning("this CPU has no instructions for bfloat16: training in float32")
    return "32-true"


def _nearest(problem: str, keys: set[str]) -> str:
    """What may have been meant by a key that is not known; nothing if all are."""
    if not re.search(r"unrecognized|does not accept", problem):
        return ""
    named = re.findall(r"[\"']?(?:--)?([a-z_]+(?:\.[a-z_]+)+)", problem)
    for key in named:
        near = difflib.get_close_matches(key, keys, n=1)
        if key not in keys and near:
            return f"did you mean {near[0]}?"
    return ""
