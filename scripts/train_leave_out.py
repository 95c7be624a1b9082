"""Train without some sets, then judge on them: how the recipe does on imagery it has never seen.

    python scripts/train_leave_out.py configs/train/site-2m.yaml --leave levir levir_crops \
        --judge levir --steps 500 -o runs/left-out/levir

The recipe is that of the configuration but for its length and its validation: the last weights are
judged, not the best, and ``--steps`` is a multiple of ``data.steps``. Sets of the same ground must
all be named (``mshs_bcd mshs_s2 mshs_bcd_10m``), and ``--start-from`` must not have seen them
either.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import yaml

from groundbreak.cli.main import run as groundbreak
from groundbreak.model.train_cli import run as train
from groundbreak.pairs.index import read_index


def main() -> None:
    """Parse, train, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--leave", nargs="+", required=True, help="sets that training must not see")
    parser.add_argument("--judge", required=True, help="the sets to judge on, with commas")
    parser.add_argument("--split", default="test")
    parser.add_argument("--data", default="../shared/data/pairs")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--start-from", help="weights; default: ImageNet encoder")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    config = yaml.safe_load(options.config.read_text())
    check(config, options)
    config = without(config, set(options.leave))
    config["trainer"] |= {
        "max_steps": options.steps,
        "check_val_every_n_epoch": options.steps // config["data"]["steps"],
        "default_root_dir": str(options.output),
        "logger": False,
        "callbacks": [writer(config, options.output)],
        "enable_progress_bar": False,
    }
    config["model"]["start_from"] = options.start_from
    options.output.mkdir(parents=True, exist_ok=True)
    file = options.output / "config.yaml"
    file.write_text(yaml.safe_dump(config))
    weights = options.output / f"{name_of(config)}.safetensors"
    train(["fit", "--config", str(file)])
    told = ["--sets", options.judge, "--split", options.split, "--weights", str(weights)]
    groundbreak(["evaluate", "--data", options.data, *told, "-o", str(options.output / "judged")])


def check(config: dict[str, Any], options: argparse.Namespace) -> None:
    """Whether what was asked for can be had: a misspelt set would be trained on in silence.

    Raises:
        SystemExit: a set is in no folder, one is judged that is not left out, or the last step is
            not one that is validated.
    """
    folders = {source["folder"] for part in ("train", "val") for source in config["data"][part]}
    there = {record.set for folder in folders for record in read_index(Path(folder))}
    for name in options.leave:
        if name not in there:
            raise SystemExit(f"--leave: no set {name}; there are {', '.join(sorted(there))}")
    for name in options.judge.split(","):
        if name not in options.leave:
            raise SystemExit(f"--judge: {name} is not among --leave")
    epoch = config["data"]["steps"]
    if options.steps <= 0 or options.steps % epoch:
        raise SystemExit(f"--steps: {options.steps} is no multiple of data.steps, {epoch}")


def without(config: dict[str, Any], left_out: set[str]) -> dict[str, Any]:
    """The configuration without the sets; validation is one set that is there, for the temperature.

    Raises:
        SystemExit: a set is in no source, or no set of validation remains.
    """
    data = config["data"]
    known = {name for source in data["train"] for name in source["sets"]}
    if not left_out & known:
        raise SystemExit(f"none of {sorted(left_out)} is trained on: {sorted(known)}")
    for part in ("train", "val"):
        for source in data[part]:
            source["sets"] = [name for name in source["sets"] if name not in left_out]
        data[part] = [source for source in data[part] if source["sets"]]
    if not data["val"]:
        raise SystemExit("no set of validation remains")
    data["val"] = [data["val"][0] | {"sets": data["val"][0]["sets"][:1]}]
    return config


def writer(config: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The callback that writes the weights, to a folder of its own."""
    for callback in config["trainer"]["callbacks"]:
        if callback["class_path"].endswith("WriteWeights"):
            callback["init_args"]["folder"] = str(folder)
            return dict(callback)
    raise SystemExit("the configuration writes no weights: it lists no callback WriteWeights")


def name_of(config: dict[str, Any]) -> str:
    """The name of the weights."""
    return str(config["trainer"]["callbacks"][0]["init_args"]["card"]["name"])


if __name__ == "__main__":
    main()
