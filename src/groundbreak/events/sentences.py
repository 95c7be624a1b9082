"""What an analyst would write of one event: when, how sure, and what to beware of."""

from __future__ import annotations

from collections.abc import Sequence

from groundbreak.events import phrases
from groundbreak.events.looks import LookMeta
from groundbreak.events.phrases import Span
from groundbreak.types import Event, Kind

VERBS = {
    Kind.NEW_BUILDING: "built",
    Kind.DEMOLITION: "torn down",
    Kind.DOCKING_SLIP: "opened",
}
CAUTIONS = {
    "tide": "its outline is ragged, so it may be the tide",
    "misregistered": "the two images may be shifted against each other",
    "low_resolution": "it is only a few pixels wide",
    "partly_cloudy": "part of it was hidden in one of the images",
    "assumed_date": "one of the dates is assumed",
    "edge_of_site": "it reaches over the edge of the site",
}
"""What a flag means to the reader; the other flags are for the file."""


def event_sentence(event: Event, looks: Sequence[LookMeta]) -> str:
    """The event in a few sentences, with its interval and hedged by its confidence.

    Args:
        event: with everything but the sentence.
        looks: of the site.
    """
    text = [phrases.sentence(_what_happened(event, looks))]
    if event.vessel_length_m is not None:
        text.append(f"A vessel of up to about {rounded(event.vessel_length_m)} m fits it.")
    text += [phrases.sentence(part) for part in _plot(event)]
    if "single_pair" in event.flags:
        text.append("Only two images show the place: nothing confirms it.")
    elif event.provisional:
        text.append(f"The change shows only in {last_image(event, looks)}.")
    cautions = [words for flag, words in CAUTIONS.items() if flag in event.flags]
    if cautions:
        text.append(f"Beware: {'; '.join(cautions)}.")
    return " ".join(text)


def spans_of(event: Event, looks: Sequence[LookMeta]) -> tuple[Span | None, Span | None]:
    """Acquisition times of the last look without and the first look with the change."""
    by_scenes = {look.scene_ids: look.span for look in looks}
    return by_scenes.get(event.before_scenes), by_scenes.get(event.after_scenes)


def last_image(event: Event, looks: Sequence[LookMeta]) -> str:
    """The look that shows a provisional event: the site's newest, or the last not hidden there."""
    if event.after_scenes == looks[-1].scene_ids:
        return "the newest image"
    return "the last image of the place"


def rounded(value: float) -> str:
    """A measure with two significant digits, as a person would say it."""
    return f"{float(f'{value:.2g}'):,.0f}" if value >= 10 else f"{value:.1g}"


def _what_happened(event: Event, looks: Sequence[LookMeta]) -> str:
    before, after = spans_of(event, looks)
    thing = f"a building of about {rounded(event.area_m2)} m²"
    if event.kind is Kind.DOCKING_SLIP and event.length_m and event.width_m:
        thing = (
            f"a docking slip about {rounded(event.length_m)} m long "
            f"and {rounded(event.width_m)} m wide"
        )
    hedge = phrases.hedge(event.confidence)
    was = f"was {hedge} " if hedge else "was "
    if after is None:
        begun = f"after {phrases.date(before)}" if before else "at an unknown time"
        newest = phrases.date(looks[-1].span)
        return f"{thing} {was}begun {begun} and not finished on {newest}"
    said = f"{thing} {was}{VERBS[event.kind]} {phrases.between(before, after)}"
    if before is None:
        said += "; no earlier usable image shows the plot"
    return said


def _plot(event: Event) -> list[str]:
    """What stood there before, what came after."""
    parts = []
    if event.replaces:
        there = (
            "one that was torn down"
            if len(event.replaces) == 1
            else (f"{phrases.count(len(event.replaces), 'one', 'buildings')} that were torn down")
        )
        parts.append(f"it stands on the plot of {there}")
    if event.replaced_by:
        followed = phrases.count(len(event.replaced_by), "new building")
        parts.append(f"{followed} followed on the plot")
    return parts
