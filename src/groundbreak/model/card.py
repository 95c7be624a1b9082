"""The card of a weights file: what it was trained on, what it takes, how its answers are read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from groundbreak.errors import WeightsError
from groundbreak.labels import PIXEL_THRESHOLD
from groundbreak.model.shape import CLASSES, NetworkConfig
from groundbreak.types import KINDS, Kind

FORMAT = 1
"""Version of the card's JSON form."""
NOT_AVERAGED = 0.9
"""Pixels of this share of ``finest_gsd_m``, or larger, are not averaged."""


@dataclass(frozen=True)
class DataUse:
    """A data set that the weights were trained or chosen on.

    ``part`` is what it was used for, "training" or "validation", whatever its split is called;
    empty where nobody said.
    """

    name: str
    split: str
    scenes: int
    licence: str
    part: str = ""


@dataclass(frozen=True)
class Card:
    """What goes with a weights file, as JSON beside it: ``NAME.json`` for ``NAME.safetensors``.

    The JSON form is an object with these fields and ``format`` (1). Normalisation is part of the
    network: it takes [0, 1] as ``scaling.to_unit`` gives it, 0 in every band meaning no data.

    Attributes:
        name: of the weights.
        description: one sentence for people.
        bands: common names, in the order the network takes them.
        optional_bands: of ``bands``, those that may be missing; red takes the place of ``nir``.
        gsd_m: least and most pixel size in metres that the weights are good for.
        finest_gsd_m: images of clearly smaller pixels are averaged to this size first, unless a
            grid of their own is asked for. See ``working_gsd_m``.
        upsample: whole factor by which an image is magnified (bilinear) before the network; the
            answer is averaged back. See ``magnification``.
        upsample_from_gsd_m: only images whose pixels are this large, or larger, are magnified.
        network: shape of the network.
        temperature: the logits are divided by it before the softmax.
        pixel_threshold: pixels count as changed, in scores of pixels, from this probability of any
            change on.
        thresholds: per kind, the least probability of a pixel of an event.
        min_area_m2: per kind, the least area of an event.
        encodings: of the imagery seen in training, for people.
        data: what was used, under which licences.
        licence: of the weights, and what follows from the data's.
        metrics: figures by data set and split; ``val`` chose, ``test`` only reports.
        limits: what the weights are not good for.
        caution: what else than buildings may be told as one, a sentence that goes with what they
            find; empty where the kinds can be taken at their word.
        revision: git revision of the code that trained them.
        sha256: of the weights file.
    """

    name: str
    description: str
    bands: tuple[str, ...]
    gsd_m: tuple[float, float]
    network: NetworkConfig
    optional_bands: tuple[str, ...] = ()
    finest_gsd_m: float = 0.0
    upsample: int = 1
    upsample_from_gsd_m: float = 0.0
    temperature: float = 1.0
    pixel_threshold: float = PIXEL_THRESHOLD
    thresholds: Mapping[Kind, float] = field(default_factory=lambda: dict.fromkeys(KINDS, 0.5))
    min_area_m2: Mapping[Kind, float] = field(default_factory=lambda: dict.fromkeys(KINDS, 0.0))
    encodings: tuple[str, ...] = ()
    data: tuple[DataUse, ...] = ()
    licence: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    limits: str = ""
    caution: str = ""
    revision: str | None = None
    sha256: str | None = None

    def working_gsd_m(self, gsd_m: float) -> float:
        """The pixel size in metres at which an image of pixels of ``gsd_m`` is looked at.

        Its own, but where that is finer than nine tenths of ``finest_gsd_m``: to average within a
        tenth would blur and gain nothing.
        """
        return self.finest_gsd_m if gsd_m < NOT_AVERAGED * self.finest_gsd_m else gsd_m

    @property
    def own_gsd_m(self) -> tuple[float, float]:
        """Least and most pixel size in metres of images that are looked at as they are."""
        low, high = self.gsd_m
        return max(low, NOT_AVERAGED * self.finest_gsd_m), high

    def magnification(self, gsd_m: float | None) -> int:
        """The factor for an image of that pixel size.

        An unknown size is magnified only if every size is.
        """
        return magnify(self.upsample, self.upsample_from_gsd_m, gsd_m)

    def to_json(self) -> dict[str, Any]:
        """The card as a JSON object."""
        return {"format": FORMAT, **dataclasses.asdict(self)}


def magnify(factor: int, from_gsd_m: float, gsd_m: float | None) -> int:
    """See ``Card.magnification``."""
    if from_gsd_m > 0 and (gsd_m is None or gsd_m < from_gsd_m):
        return 1
    return factor


def from_json(document: Any, subject: str) -> Card:
    """Read and check a card.

    Args:
        document: a parsed JSON document.
        subject: where it came from, for messages.

    Raises:
        WeightsError: a field is missing, unknown, or not what it must be.
    """
    try:
        return _parse(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        problem = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise WeightsError(subject, f"is not a card of weights ({problem})") from error


def _parse(document: Any) -> Card:
    fields = dict(document)
    if fields.pop("format") != FORMAT:
        raise ValueError(f"its format is not {FORMAT}")
    network = dict(fields.pop("network"))
    for key in ("fused", "decoder"):
        network[key] = tuple(int(width) for width in network[key])
    card = Card(
        **{
            **fields,
            "network": NetworkConfig(**network),
            "bands": tuple(fields["bands"]),
            "optional_bands": tuple(fields.get("optional_bands", ())),
            "gsd_m": tuple(float(edge) for edge in fields["gsd_m"]),
            "finest_gsd_m": float(fields.get("finest_gsd_m", 0.0)),
            "upsample_from_gsd_m": float(fields.get("upsample_from_gsd_m", 0.0)),
            "thresholds": _per_kind(fields["thresholds"]),
            "min_area_m2": _per_kind(fields["min_area_m2"]),
            "encodings": tuple(fields.get("encodings", ())),
            "data": tuple(DataUse(**use) for use in fields.get("data", ())),
        }
    )
    _check(card)
    return card


def _per_kind(values: Mapping[str, float]) -> dict[Kind, float]:
    return {kind: float(values[str(kind)]) for kind in KINDS}


def _check(card: Card) -> None:
    if len(card.bands) != card.network.bands:
        raise ValueError(f"{len(card.bands)} bands for a network of {card.network.bands}")
    if not set(card.optional_bands) <= set(card.bands):
        raise ValueError("optional_bands holds a band that bands does not")
    if len(card.gsd_m) != 2 or not 0 < card.gsd_m[0] <= card.gsd_m[1]:
        raise ValueError("gsd_m is not a range")
    if not 0 <= card.finest_gsd_m <= card.gsd_m[1]:
        raise ValueError("finest_gsd_m is negative, or beyond gsd_m")
    if card.upsample not in range(1, 9):
        raise ValueError("upsample is not a whole number from 1 to 8")
    if not card.upsample_from_gsd_m >= 0:
        raise ValueError("upsample_from_gsd_m is negative")
    if not 0.05 <= card.temperature <= 20:
        raise ValueError("temperature is out of range")
    if not 0 < card.pixel_threshold < 1:
        raise ValueError("pixel_threshold is not between 0 and 1")
    if not all(0 < threshold < 1 for threshold in card.thresholds.values()):
        raise ValueError("a threshold is not between 0 and 1")
    if not all(area >= 0 for area in card.min_area_m2.values()):
        raise ValueError("a least area is negative")
    if len(card.thresholds) != CLASSES - 1:
        raise ValueError("thresholds are not one for each kind")
