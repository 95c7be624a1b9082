"""ONNX for other programs (OpenVINO, QGIS with Deepness), described by a STAC item (MLM)."""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from groundbreak.atomic import atomic_path, write_json
from groundbreak.errors import OutputError
from groundbreak.model.card import Card
from groundbreak.model.network import SiameseUNet, class_probabilities
from groundbreak.model.shape import STRIDE
from groundbreak.model.weights import LoadedModel, load_weights
from groundbreak.types import KINDS

log = logging.getLogger(__name__)

OPSET = 18
"""Taken by OpenVINO 2024 and later, and by the ONNX Runtime that Deepness ships with."""

MLM = "https://stac-extensions.github.io/mlm/v1.5.0/schema.json"
CLASS_NAMES = ("none", *(str(kind) for kind in KINDS))


class OnePicture(nn.Module):
    """The network as a function of one picture, the two dates' bands one after the other.

    Other programs know models of one input; in QGIS a virtual raster stacks the dates.
    """

    def __init__(self, network: SiameseUNet, card: Card) -> None:
        super().__init__()
        self.network, self.bands = network, len(card.bands)
        self.upsample, self.temperature = card.upsample, card.temperature

    def forward(self, pair: Tensor) -> Tensor:
        """Probabilities (n, 4, h, w) of (n, 2 x bands, h, w) in [0, 1]."""
        if self.upsample > 1:
            pair = F.interpolate(
                pair, scale_factor=float(self.upsample), mode="bilinear", align_corners=False
            )
        logits = self.network(pair[:, : self.bands], pair[:, self.bands :])
        if self.upsample > 1:
            logits = F.avg_pool2d(logits, self.upsample)
        return class_probabilities(logits, self.temperature)


def item_path(path: Path) -> Path:
    """Where the STAC item of an ONNX file lies; the card of weights would be ``NAME.json``."""
    return path.with_suffix(".stac.json")


def export_onnx(weights: str | Path, path: Path) -> None:
    """Write weights as ``path`` (ONNX) and a STAC item beside it (``.stac.json``).

    The model has one input ``pair`` (n, 2 x bands, h, w) in [0, 1], h and w in multiples of 32
    (before the card's ``upsample``), and one output ``probabilities`` (n, 4, h, w).

    Raises:
        WeightsError: the weights cannot be used.
        OutputError: ``path`` is not called ``.onnx``, or cannot be written.
    """
    if path.suffix != ".onnx":
        raise OutputError(str(path), "is no name of an ONNX file", "let it end in .onnx")
    import onnx

    loaded = load_weights(weights)
    model = OnePicture(loaded.network, loaded.card).eval()
    example = torch.rand(2, 2 * len(loaded.card.bands), 4 * STRIDE, 3 * STRIDE)
    sides = {2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}
    with atomic_path(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's, about its own deprecations
        torch.onnx.export(
            model,
            (example,),
            temporary,
            input_names=["pair"],
            output_names=["probabilities"],
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim.AUTO, **sides},),
            external_data=False,
            verbose=False,
        )
        exported = onnx.load(temporary)
        onnx.helper.set_model_props(exported, deepness_metadata(loaded.card))
        onnx.save(exported, temporary)
    write_json(item_path(path), describe(loaded, path.name))


def deepness_metadata(card: Card) -> dict[str, str]:
    """What Deepness reads from a model: its values are JSON."""
    values = {
        "model_type": "Segmentor",
        "class_names": dict(enumerate(CLASS_NAMES)),
        "resolution": round(100 * typical_gsd(card), 1),
        "tile_size": 512 // card.upsample,
        "tiles_overlap": 25,
        "standardization_mean": [0.0] * (2 * len(card.bands)),
        "standardization_std": [1.0] * (2 * len(card.bands)),
        "seg_thresh": min(card.thresholds.values()),
    }
    return {key: json.dumps(value) for key, value in values.items()}


def typical_gsd(card: Card) -> float:
    """The pixel size in the middle of the card's range, in ratio."""
    low, high = card.gsd_m
    return float((low * high) ** 0.5)


def describe(loaded: LoadedModel, href: str) -> dict[str, Any]:
    """The weights as a STAC item of the machine learning model extension, version 1.5."""
    card, network = loaded.card, loaded.network
    bands = [f"{date}_{band}" for date in ("before", "after") for band in card.bands]
    order = ["batch", "channel", "height", "width"]
    box = [-180.0, -90.0, 180.0, 90.0]
    west, south, east, north = box
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    classes = [
        {"value": value, "name": name, "description": name.replace("_", " ")}
        for value, name in enumerate(CLASS_NAMES)
    ]
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [MLM],
        "id": f"groundbreak-{card.name}",
        "bbox": box,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {
            "description": card.description,
            "datetime": None,
            "start_datetime": "2000-01-01T00:00:00Z",
            "end_datetime": "2100-01-01T00:00:00Z",
            "license": "other",
            "mlm:name": f"groundbreak {card.name}",
            "mlm:architecture": "Siamese U-Net",
            "mlm:tasks": ["semantic-segmentation"],
            "mlm:framework": "ONNX",
            "mlm:framework_version": f"opset {OPSET}",
            "mlm:total_parameters": sum(p.numel() for p in network.parameters()),
            "mlm:pretrained": True,
            "mlm:pretrained_source": ", ".join(sorted({use.name for use in card.data})),
            "mlm:batch_size_suggestion": 4,
            "mlm:accelerator_constrained": False,
            "mlm:hyperparameters": {
                "encoder": card.network.encoder,
                "upsample": card.upsample,
                "gsd_m": list(card.gsd_m),
            },
            "mlm:input": [
                {
                    "name": "pair",
                    "bands": bands,
                    "input": {
                        "shape": [-1, len(bands), -1, -1],
                        "dim_order": order,
                        "data_type": "float32",
                    },
                    "description": "Both dates in [0, 1]; 0 in every band of a date is no data.",
                    "pre_processing_function": None,
                }
            ],
            "mlm:output": [
                {
                    "name": "probabilities",
                    "tasks": ["semantic-segmentation"],
                    "result": {
                        "shape": [-1, len(classes), -1, -1],
                        "dim_order": order,
                        "data_type": "float32",
                    },
                    "classification:classes": classes,
                    "post_processing_function": None,
                }
            ],
        },
        "links": [],
        "assets": {
            "model": {
                "href": href,
                "type": "application/octet-stream",
                "title": f"{card.name} in ONNX",
                "roles": ["mlm:model"],
                "mlm:artifact_type": "onnx",
            }
        },
    }
