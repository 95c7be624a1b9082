"""``groundbreak train``: what follows is Lightning's own command line."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command(
        "train",
        context_settings={
            "allow_extra_args": True,
            "ignore_unknown_options": True,
            "help_option_names": [],
        },
    )(train)


def train(context: typer.Context) -> None:
    """Train the network: fit, validate or test --config configs/train/X.yaml (--help for more)."""
    from groundbreak.model.train_cli import run

    run(context.args)
