"""A card in words: what there is to say of weights, and of each figure on what it was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from groundbreak.model.card import NOT_AVERAGED, Card
from groundbreak.types import KINDS

POINT = "operating_point"
F1 = ("change", *(kind.value for kind in KINDS))
OTHER = {
    "wrong_direction": "share of found pixels given the opposite direction",
    "ece": "calibration error of change",
}
"""Figures of a set beside F1, as ``scores.summary`` names them."""
SPLITS = {
    "val": "val, by which the weights and their thresholds were chosen",
    "val_without_nir": "val, near infrared left out",
    "test": "test, by which nothing was chosen",
}
PARTS = {
    "training": "trained on",
    "validation": "chosen on",
    "": "used too (it is not stated for what)",
}
"""Headings of ``DataUse.part``."""


def in_words(card: Card) -> list[str]:
    """Lines for people; what the card does not say has none."""
    said = [f"{card.name}: {card.description}".rstrip(": "), *_input(card), *_events(card)]
    for name, figures in card.metrics.items():
        said += _point(card, figures) if name == POINT else _scores(name, figures)
    said += _data(card)
    about = {
        "limits": card.limits,
        "caution": card.caution,
        "licence": card.licence,
        "network": _pairs(vars(card.network)),
        "revision of the code": card.revision,
        "sha256": card.sha256,
    }
    return [*said, *(f"{name}: {text}" for name, text in about.items() if text)]


def _input(card: Card) -> Iterator[str]:
    """What the weights take."""
    yield f"bands: {', '.join(card.bands)}" + (
        f" ({', '.join(card.optional_bands)} may be missing)" if card.optional_bands else ""
    )
    sizes = "{:g} to {:g} m".format(*card.gsd_m)
    if card.finest_gsd_m > card.gsd_m[0]:
        sizes += f"; below {NOT_AVERAGED * card.finest_gsd_m:g} m averaged to {card.finest_gsd_m:g}"
        sizes += " m"
    if card.upsample > 1:
        least = card.upsample_from_gsd_m
        sizes += f"; {f'from {least:g} m on ' if least else ''}magnified {card.upsample} times"
    yield f"pixels: {sizes}"
    if card.encodings:
        yield f"trained with: {'; '.join(card.encodings)}"


def _events(card: Card) -> Iterator[str]:
    """From where on something is an event, or a changed pixel in scores."""
    yield "events, by the probability of their surest pixel and their area:"
    for kind in KINDS:
        least = card.min_area_m2[kind]
        area = f" and {least:g} m²" if least else ""
        yield f"  {kind}: from {card.thresholds[kind]:g}{area} on"
    yield (
        f"pixels in scores: changed from a probability of {card.pixel_threshold:g} on "
        f"(logits divided by {card.temperature:g})"
    )


def _scores(split: str, sets: Any) -> Iterator[str]:
    """Figures of pixels by set."""
    if not sets:
        return
    yield f"F1 of pixels on the split {SPLITS.get(split, split)}:"
    if not isinstance(sets, Mapping):
        yield f"  {sets}"
        return
    for set_name, figures in sets.items():
        if text := _figures(figures):
            yield f"  {set_name}: {text}"


def _figures(figures: Any) -> str:
    if not isinstance(figures, Mapping):
        return "" if figures is None else str(figures)
    f1 = _pairs({key: figures.get(key) for key in F1})
    others = {OTHER.get(k, str(k)): value for k, value in figures.items() if k not in F1}
    return "; ".join(filter(None, (f1, _pairs(others))))


def _point(card: Card, kinds: Any) -> Iterator[str]:
    """What is found and invented at the thresholds of the card."""
    if not kinds:
        return
    sets = ", ".join(f"{u.name} {u.split}" for u in card.data if u.part == "validation")
    yield (
        f"objects of validation{f' ({sets})' if sets else ''} at the thresholds above, "
        "found: that an event touches, false: events that touch no change:"
    )
    if not isinstance(kinds, Mapping):
        yield f"  {kinds}"
        return
    for kind, figures in kinds.items():
        yield f"  {kind}: {_found(figures)}"


def _found(figures: Any) -> str:
    if not isinstance(figures, Mapping) or not {"recall", "false_per_km2"} <= figures.keys():
        return _figures(figures)
    recall, false = figures["recall"], figures["false_per_km2"]
    if not all(isinstance(figure, int | float) for figure in (recall, false)):
        return _figures(figures)
    return f"{recall:.0%} found, {false:.2g} false per km²"


def _data(card: Card) -> Iterator[str]:
    """Sets that were used, by what for."""
    for part in dict.fromkeys(use.part for use in card.data):
        yield f"{PARTS.get(part, part)}:"
        for use in card.data:
            if use.part == part:
                licence = f" (licence: {use.licence})" if use.licence else ""
                yield f"  {use.name}, split {use.split}: {use.scenes:,} scenes{licence}"


def _pairs(values: Mapping[str, Any]) -> str:
    """Names with their values, without those that say nothing."""
    told = {name: value for name, value in values.items() if value not in (None, "", (), [], {})}
    return ", ".join(
        f"{name} {' '.join(map(str, value)) if isinstance(value, list | tuple) else value}"
        for name, value in told.items()
    )
