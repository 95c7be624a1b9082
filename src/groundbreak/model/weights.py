"""Weights files: safetensors with a card beside them. Nothing is ever unpickled."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError

import groundbreak
from groundbreak.atomic import atomic_path, write_json
from groundbreak.errors import WeightsError
from groundbreak.model.card import Card, from_json

if TYPE_CHECKING:
    from groundbreak.model.network import SiameseUNet

NAMES = ("site-2m", "area-10m")
"""The shipped weights."""


@dataclass(frozen=True)
class LoadedModel:
    """A network ready to answer (evaluation mode, float32, on the CPU), and its card."""

    network: SiameseUNet
    card: Card


def weights_folder() -> Path:
    """Where the shipped weights lie: in the installed package, else in the source tree."""
    package = Path(groundbreak.__file__).parent
    installed = package / "_weights"
    return installed if installed.is_dir() else package.parents[1] / "weights"


def find_weights(name_or_path: str | Path) -> Path:
    """The weights file behind a shipped name or a path.

    Raises:
        WeightsError: neither.
    """
    if str(name_or_path) in NAMES:
        path = weights_folder() / f"{name_or_path}.safetensors"
    else:
        path = Path(name_or_path)
    if path.suffix != ".safetensors":
        raise WeightsError(
            str(name_or_path),
            "is neither shipped weights nor a .safetensors file",
            f"shipped are {', '.join(NAMES)}",
        )
    if not path.is_file():
        raise WeightsError(str(name_or_path), f"there is no file {path}")
    return path


def located(name_or_path: str) -> str:
    """The same weights for a process with another current folder."""
    return name_or_path if name_or_path in NAMES else str(Path(name_or_path).absolute())


def read_card(name_or_path: str | Path) -> Card:
    """The card of weights, if the file beside it is the one that it describes.

    A card without a hash gets that of the file: what is kept is kept under it.

    Raises:
        WeightsError: no weights, no card, not a card, or the card of another file.
    """
    weights = find_weights(name_or_path)
    path = weights.with_suffix(".json")
    try:
        card = from_json(json.loads(path.read_text(encoding="utf-8")), str(path))
    except FileNotFoundError:
        raise WeightsError(str(name_or_path), f"has no card {path.name} beside it") from None
    except (OSError, ValueError) as error:
        raise WeightsError(str(path), f"cannot be read ({error})") from error
    digest = _digest(weights)
    if card.sha256 not in (None, digest):
        raise WeightsError(
            str(weights), "is not the file its card describes", "download both again"
        )
    return replace(card, sha256=digest)


def list_weights() -> list[Card]:
    """The cards of all shipped weights."""
    return [read_card(name) for name in NAMES]


def load_weights(name_or_path: str | Path) -> LoadedModel:
    """Load shipped weights by name, or any by the path of their safetensors file.

    Raises:
        WeightsError: not found, damaged, foreign, or not those of its card.
    """
    from safetensors.torch import load_file

    from groundbreak.model.network import SiameseUNet

    path = find_weights(name_or_path)
    card = read_card(path)
    try:
        state = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(str(path), f"is not a safetensors file ({error})") from error
    try:
        network = SiameseUNet(card.network)
        network.load_state_dict(state)
    except (RuntimeError, KeyError, ValueError) as error:
        problem = str(error).splitlines()[0]
        raise WeightsError(
            str(path), f"does not fit the network of its card ({problem})"
        ) from error
    if not all(tensor.isfinite().all() for tensor in state.values()):
        raise WeightsError(str(path), "holds numbers that are not finite")
    return LoadedModel(network.eval(), card)


def save_weights(network: SiameseUNet, card: Card, path: Path) -> Card:
    """Write the weights, filters in half precision, and their card beside them.

    Returns:
        the card with the file's hash, as it was written.

    Raises:
        OutputError: the folder cannot be written.
    """
    from safetensors.torch import save_file

    state = {
        # Vectors (normalisation, biases) are few, and their range can exceed half precision.
        name: (tensor.half() if tensor.ndim > 1 else tensor).contiguous().cpu()
        for name, tensor in network.state_dict().items()
    }
    with atomic_path(path) as temporary:
        save_file(state, temporary, metadata={"format": "pt", "card": path.stem + ".json"})
    card = replace(card, sha256=_digest(path), network=network.config)
    write_json(path.with_suffix(".json"), card.to_json())
    return card


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
