"""ONNX for other programs (OpenVINO, QGIS with Deepness), described by a STAC item (MLM)."""

from __future__ import annotations

import json
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from groundbreak.atomic import atomic_path, write_json
from groundbreak.errors import OutputError, WeightsError
from groundbreak.model.card import Card
from groundbreak.model.network import SiameseUNet, class_probabilities, measure
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

    def __init__(self, network: SiameseUNet, card: Card, zoom: int) -> None:
        super().__init__()
        self.network, self.bands = network, len(card.bands)
        self.zoom, self.temperature = zoom, card.temperature

    def forward(self, pair: Tensor) -> Tensor:
        """Probabilities (n, 4, h, w) of (n, 2 x bands, h, w) in [0, 1]."""
        statistics = measure(pair[:, : self.bands], pair[:, self.bands :])
        if self.zoom > 1:
            pair = F.interpolate(
                pair, scale_factor=float(self.zoom), mode="bilinear", align_corners=False
            )
        logits = self.network(pair[:, : self.bands], pair[:, self.bands :], statistics)
        if self.zoom > 1:
            logits = F.avg_pool2d(logits, self.zoom)
        return class_probabilities(logits, self.temperature)


@dataclass(frozen=True)
class Sizes:
    """What an export is for: one magnification, and the pixel sizes for which it is right.

    Attributes:
        zoom: how often the pictures are magnified, within the graph.
        gsd_m: a typical pixel size in metres.
        range_m: least and most pixel size in metres that the magnification holds for.
    """

    zoom: int
    gsd_m: float
    range_m: tuple[float, float]


def sizes_for(card: Card, gsd_m: float | None = None) -> Sizes:
    """The magnification for a pixel size; without one, for the middle of the card's range.

    Raises:
        WeightsError: the weights are not for that pixel size.
    """
    low, high = card.own_gsd_m
    if gsd_m is None:
        gsd_m = (low * high) ** 0.5
    if not low <= gsd_m <= high:
        problem = f"takes pixels of {low:g} to {high:g} m as they are, not of {gsd_m:g} m"
        averaged = card.gsd_m[0] <= gsd_m < low
        mend = f"average the pictures to {card.finest_gsd_m:g} m first" if averaged else ""
        raise WeightsError(card.name, problem, mend)
    zoom, edge = card.magnification(gsd_m), card.upsample_from_gsd_m
    if low < edge <= high and card.upsample > 1:
        low, high = (edge, high) if gsd_m >= edge else (low, edge)
    return Sizes(zoom, gsd_m, (low, high))


def item_path(path: Path) -> Path:
    """Where the STAC item of an ONNX file lies; the card of weights would be ``NAME.json``."""
    return path.with_suffix(".stac.json")


def export_onnx(weights: str | Path, path: Path, gsd_m: float | None = None) -> None:
    """Write weights as ``path`` (ONNX) and a STAC item beside it (``.stac.json``).

    The model has one input ``pair`` (n, 2 x bands, h, w) in [0, 1], h and w in multiples of 32,
    and one output ``probabilities`` (n, 4, h, w). A graph magnifies all pictures or none: weights
    that magnify some need an export for each (``sizes_for``).

    Args:
        weights: a shipped name, or a path.
        path: of the ONNX file.
        gsd_m: pixel size in metres of the pictures it is for; None = the middle of the range.

    Raises:
        WeightsError: the weights cannot be used, or not for that pixel size.
        OutputError: ``path`` is not called ``.onnx``, or cannot be written.
    """
    if path.suffix != ".onnx":
        raise OutputError(str(path), "is no name of an ONNX file", "let it end in .onnx")
    import onnx

    loaded = load_weights(weights)
    sizes = sizes_for(loaded.card, gsd_m)
    model = OnePicture(loaded.network, loaded.card, sizes.zoom).eval()
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
        onnx.helper.set_model_props(exported, deepness_metadata(loaded.card, sizes))
        onnx.save(exported, temporary)
    write_json(item_path(path), describe(loaded, path.name, sizes))


def deepness_metadata(card: Card, sizes: Sizes) -> dict[str, str]:
    """What Deepness reads from a model, and what the export is for: the values are JSON."""
    values = {
        "model_type": "Segmentor",
        "class_names": dict(enumerate(CLASS_NAMES)),
        "resolution": round(100 * sizes.gsd_m, 1),
        "tile_size": 512 // sizes.zoom // STRIDE * STRIDE,
        "tiles_overlap": 25,
        "standardization_mean": [0.0] * (2 * len(card.bands)),
        "standardization_std": [1.0] * (2 * len(card.bands)),
        "seg_thresh": min(card.thresholds.values()),
        "upsample": sizes.zoom,
        "gsd_m": list(sizes.range_m),
    }
    return {key: json.dumps(value) for key, value in values.items()}


def describe(loaded: LoadedModel, href: str, sizes: Sizes) -> dict[str, Any]:
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
                "upsample": sizes.zoom,
                "gsd_m": list(sizes.range_m),
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
