"""A site in plain words: what happened, and what could not be seen.

Every clause names the events that it stands on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import Any

from groundbreak.events import phrases
from groundbreak.events.looks import LookMeta
from groundbreak.events.schema import iso
from groundbreak.events.sentences import VERBS, last_image, spans_of
from groundbreak.types import KINDS, Event, Kind

GAP_DAYS = 90.0
"""Shorter times between looks are not worth a sentence ..."""
GAP_FACTOR = 3.0
"""... nor are those shorter than this many times the median."""
SOME_SHARE = 0.01
"""Smaller shares of a site are not worth a sentence."""

NOUNS = {
    Kind.NEW_BUILDING: ("new building", "new buildings"),
    Kind.DEMOLITION: ("demolition", "demolitions"),
    Kind.DOCKING_SLIP: ("docking slip", "docking slips"),
}
THINGS = {
    Kind.NEW_BUILDING: ("building", "buildings"),
    Kind.DEMOLITION: ("building", "buildings"),
    Kind.DOCKING_SLIP: ("docking slip", "docking slips"),
}


DOUBTS = {
    "assumed_date": "one date is assumed",
    "tide": "may be the tide",
    "misregistered": "the images may be shifted against each other",
}
"""Flags that a reader of the site's sentences must know of, for one event or for many."""

NO_IMAGE = "No usable image shows the site"
NOT_OBSERVED, NOT_COMPARED = "Not observed:", "Not compared:"
UNSEEN = (NO_IMAGE, NOT_OBSERVED, NOT_COMPARED)
"""How sentences begin that tell of what was not seen."""


@dataclass(frozen=True)
class Coverage:
    """Shares of the site's area that no look shows, and that a single look shows."""

    never: float = 0.0
    once: float = 0.0

    @property
    def compared(self) -> float:
        """Share of the area that at least two looks show."""
        return max(0.0, 1.0 - self.never - self.once)


@dataclass(frozen=True)
class Clause:
    """A sentence, and the ids of the events that it stands on."""

    text: str
    event_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Period:
    """A time in which the site was not seen."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class SiteSummary:
    """A site in plain words."""

    clauses: tuple[Clause, ...]
    periods_not_observed: tuple[Period, ...] = ()
    coverage: Coverage = field(default_factory=Coverage)

    @property
    def text(self) -> str:
        """All sentences in one paragraph."""
        return " ".join(clause.text for clause in self.clauses)

    def document(self) -> dict[str, Any]:
        """The summary as JSON."""
        return {
            "text": self.text,
            "sentences": [
                {"text": clause.text, "events": list(clause.event_ids)} for clause in self.clauses
            ],
            "not_observed": {
                "periods": [
                    {"start_datetime": iso(p.start), "end_datetime": iso(p.end)}
                    for p in self.periods_not_observed
                ],
                "never_share": round(self.coverage.never, 4),
                "once_share": round(self.coverage.once, 4),
            },
        }


def summarise(
    site_name: str,
    events: Sequence[Event],
    looks: Sequence[LookMeta],
    coverage: Coverage,
    asked: Period | None = None,
    caution: str = "",
    kinds: Sequence[Kind] = KINDS,
    stricter_than: float | None = None,
) -> SiteSummary:
    """Sum up a site.

    Args:
        site_name: as the user calls it.
        events: of the site, in the order in which they shall be told.
        looks: of the site in date order.
        coverage: what no look, or only one, shows.
        asked: from the first to the last image there is, usable or not.
        caution: a sentence that goes with buildings; empty for none.
        kinds: of events that were asked for.
        stricter_than: the confidence that was asked for, if more than usual: less certain events
            were left out.
    """
    seen = [look for look in looks if look.usable_share >= SOME_SHARE]
    gaps = _gaps(seen, asked)
    if not seen:
        text = f"{site_name} was not observed: no usable image."
        return SiteSummary((Clause(text),), tuple(gaps), coverage)
    if len(seen) == 1:
        when = phrases.date(seen[0].span)
        part = f"{phrases.share(1 - coverage.never)} of " if coverage.never >= SOME_SHARE else ""
        text = f"{part}{site_name} was seen once ({when}): there is nothing to compare it with."
        never = _not_observed(Coverage(coverage.never))  # that once is no comparison is said
        return SiteSummary((Clause(text), *never), tuple(gaps), coverage)
    clauses = _alike(site_name, events, looks, seen) or [
        _overview(site_name, events, seen, coverage, kinds),
        *_chains(events, looks),
        *_singles([e for e in events if not (e.replaces or e.replaced_by)], looks),
        *_unconfirmed(events, seen),
    ]
    buildings = [event for event in events if event.kind is not Kind.DOCKING_SLIP]
    if caution and buildings:
        clauses.append(Clause(caution, _ids(buildings)))
    clauses += _left_out(kinds, stricter_than)
    clauses += [Clause(text) for text in unseen(gaps, (seen[0].start, seen[-1].end))]
    clauses += _not_observed(coverage)
    return SiteSummary(tuple(clauses), tuple(gaps), coverage)


def _left_out(kinds: Sequence[Kind], stricter_than: float | None) -> list[Clause]:
    """What was not asked for, so that silence about it says nothing."""
    clauses = []
    if others := [NOUNS[kind][1] for kind in KINDS if kind not in kinds]:
        clauses.append(Clause(f"Not asked for: {phrases.listed(others)}."))
    if stricter_than is not None:
        least = f"{100 * stricter_than:.3g} %"
        clauses.append(
            Clause(f"Left out, as asked for: changes that are less than {least} certain.")
        )
    return clauses


def _overview(
    site_name: str,
    events: Sequence[Event],
    seen: Sequence[LookMeta],
    coverage: Coverage,
    kinds: Sequence[Kind],
) -> Clause:
    period = phrases.between(seen[0].span, seen[-1].span)
    images = phrases.count(len(seen), "image")
    what = "change" if set(kinds) >= set(KINDS) else " or ".join(NOUNS[kind][0] for kind in kinds)
    if not events and coverage.compared < SOME_SHARE:
        text = f"{site_name} cannot be judged {period} ({images}): no part of it is seen twice."
        return Clause(text)
    if not events and coverage.compared < 1 - SOME_SHARE:
        where = f"in the {phrases.share(coverage.compared)} of {site_name} that were compared"
        return Clause(f"No {what} was found {where} {period} ({images}).")
    if not events:
        return Clause(f"No {what} was found at {site_name} {period} ({images}).")
    parts = [
        phrases.count(number, *NOUNS[kind])
        for kind in KINDS
        if (number := sum(event.kind is kind for event in events))
    ]
    text = f"{phrases.listed(parts)} {'was' if len(events) == 1 else 'were'} found at {site_name}"
    return Clause(phrases.sentence(f"{text} {period} ({images})"), _ids(events))


def _alike(
    site_name: str, events: Sequence[Event], looks: Sequence[LookMeta], seen: Sequence[LookMeta]
) -> list[Clause]:
    """Overview, events and caution in one sentence, where two images show one group of them."""
    if len(seen) != 2 or any(event.replaces or event.replaced_by for event in events):
        return []
    if not all("single_pair" in event.flags for event in events):
        return []
    groups = _grouped(events, looks)
    if len(groups) != 1:
        return []
    [((name, _, hedge), group)] = groups.items()
    kind = Kind(name)
    period = phrases.between(seen[0].span, seen[-1].span)
    if _period(group[0], looks) != period:
        return []
    things = phrases.count(len(group), *THINGS[kind])
    them = "it" if len(group) == 1 else "them"
    aside = "; ".join([f"only two images: nothing confirms {them}", *_doubts(group[0], looks)])
    text = f"{things} {_did(kind, group, hedge)} at {site_name} {period} ({aside})"
    return [Clause(phrases.sentence(text), _ids(group))]


_Key = tuple[str, str, str]


def _grouped(events: Sequence[Event], looks: Sequence[LookMeta]) -> dict[_Key, list[Event]]:
    """Events that one clause can tell: same kind, same words for time and certainty."""
    groups: dict[_Key, list[Event]] = defaultdict(list)
    for event in events:
        key = (event.kind.value, _when(event, looks), phrases.hedge(event.confidence))
        groups[key].append(event)
    return groups


def _when(event: Event, looks: Sequence[LookMeta]) -> str:
    return _period(event, looks) + _aside(event, looks)


def _period(event: Event, looks: Sequence[LookMeta]) -> str:
    before, after = spans_of(event, looks)
    if after is None and before is not None:
        return f"after {phrases.date(before)} and not finished in the newest image"
    return phrases.between(before, after)


def _aside(event: Event, looks: Sequence[LookMeta]) -> str:
    doubts = _doubts(event, looks)
    return f" ({'; '.join(doubts)})" if doubts else ""


def _doubts(event: Event, looks: Sequence[LookMeta]) -> list[str]:
    """What to beware of, in words that fit one event and many."""
    words = [words for flag, words in DOUBTS.items() if flag in event.flags]
    if event.provisional and "single_pair" not in event.flags:
        words.insert(0, f"the change shows only in {last_image(event, looks)}")
    return words


def _unconfirmed(events: Sequence[Event], seen: Sequence[LookMeta]) -> list[Clause]:
    """Nothing, or which events rest on two looks that are all there is."""
    pairs = [event for event in events if "single_pair" in event.flags]
    if not pairs:
        return []
    images = "only two images"
    if len(seen) > 2:
        images += f" show the {'place' if len(pairs) == 1 else 'places'} of "
        images += phrases.count(len(pairs), "change")
    them = "it" if len(pairs) == 1 else "them"
    return [Clause(phrases.sentence(f"{images}: nothing confirms {them}"), _ids(pairs))]


def _singles(events: Sequence[Event], looks: Sequence[LookMeta]) -> list[Clause]:
    clauses = []
    for (name, when, hedge), group in _grouped(events, looks).items():
        kind = Kind(name)
        did = _did(kind, group, hedge)
        text = f"{phrases.count(len(group), *THINGS[kind])} {did} {when}"
        clauses.append(Clause(phrases.sentence(text), _ids(group)))
    return clauses


def _did(kind: Kind, group: Sequence[Event], hedge: str) -> str:
    was = "was" if len(group) == 1 else "were"
    verb = VERBS[kind] if group[0].interval.end is not None else "begun"
    return " ".join(part for part in (was, hedge, verb) if part)


def _chains(events: Sequence[Event], looks: Sequence[LookMeta]) -> list[Clause]:
    """One sentence for each plot; plots with the same story are told together."""
    stories: dict[tuple[frozenset[_Key], frozenset[_Key]], list[list[Event]]] = defaultdict(list)
    for plot in _plots(events):
        torn = [event for event in plot if event.kind is Kind.DEMOLITION]
        built = [event for event in plot if event.kind is Kind.NEW_BUILDING]
        story = frozenset(_grouped(torn, looks)), frozenset(_grouped(built, looks))
        stories[story].append(plot)
    clauses = []
    for plots in stories.values():
        together = [event for plot in plots for event in plot]
        torn = [event for event in together if event.kind is Kind.DEMOLITION]
        built = [event for event in together if event.kind is Kind.NEW_BUILDING]
        where = " on the plot" if len(plots) == 1 else " on the plots"
        first = phrases.listed(
            [
                f"{phrases.count(len(group), 'building')} "
                f"{_did(Kind.DEMOLITION, group, hedge)} {when}"
                for (_, when, hedge), group in _grouped(torn, looks).items()
            ]
        )
        then = phrases.listed(
            [
                _stood(group, hedge, where if n == 0 else "", looks)
                for n, ((*_, hedge), group) in enumerate(_grouped(built, looks).items())
            ]
        )
        clauses.append(Clause(phrases.sentence(f"{first}; {then}"), _ids(together)))
    return clauses


def _stood(group: Sequence[Event], hedge: str, where: str, looks: Sequence[LookMeta]) -> str:
    new = phrases.count(len(group), "new one")
    _, after = spans_of(group[0], looks)
    if after is None:
        verb = "was" if len(group) == 1 else "were"
        did = " ".join(part for part in (verb, hedge, "under way") if part)
        return f"{new} {did}{where} in the newest image{_aside(group[0], looks)}"
    stood = f"{hedge} stood" if hedge else "stood"
    return f"{new} {stood}{where} {phrases.by(after)}{_aside(group[0], looks)}"


def _plots(events: Sequence[Event]) -> list[list[Event]]:
    """Events that are linked by replacement, directly or through others, in their order."""
    by_id = {event.id: event for event in events}
    plots, told = [], set()
    for event in events:
        if event.id in told or not (event.replaces or event.replaced_by):
            continue
        plot, waiting = set(), [event.id]
        while waiting:
            name = waiting.pop()
            if name in plot or name not in by_id:
                continue
            plot.add(name)
            waiting += [*by_id[name].replaces, *by_id[name].replaced_by]
        told |= plot
        plots.append([other for other in events if other.id in plot])
    return plots


def _gaps(seen: Sequence[LookMeta], asked: Period | None) -> list[Period]:
    """Long times without a look: between those that saw something, before them and after them."""
    between = [Period(one.end, other.start) for one, other in pairwise(seen)]
    least = max([GAP_DAYS, *([GAP_FACTOR * median(map(_days, between))] if between else [])])
    if asked is not None and seen:
        between = [
            Period(asked.start, seen[0].start),
            *between,
            Period(seen[-1].end, asked.end),
        ]
    elif asked is not None:
        return [asked]
    return [period for period in between if _days(period) >= least]


def _days(period: Period) -> float:
    return (period.end - period.start).total_seconds() / 86_400


def unseen(gaps: Sequence[Period], seen: phrases.Span | None) -> list[str]:
    """What long times without a look mean, in a sentence or two.

    Between two looks changes are found nevertheless, by comparing these: such a time does not
    contradict events that are dated to it.

    Args:
        gaps: in order.
        seen: from the first to the last look that shows something; None if none does.
    """
    between: list[str] = []
    outside: list[str] = []
    for gap in gaps:
        time = phrases.between((gap.start, gap.start), (gap.end, gap.end))
        if seen is None:
            outside.append(time)
        elif gap.end <= seen[0]:
            outside.append(f"{time}, before the first usable image")
        elif gap.start >= seen[1]:
            outside.append(f"{time}, after the last usable image")
        else:
            between.append(time)
    texts = []
    if between:
        when, it = ("that time", "it") if len(between) == 1 else ("these times", "them")
        texts.append(
            f"{NO_IMAGE} {phrases.listed(between)}. Changes of {when} are told from the images "
            f"before and after {it}: they cannot be dated more closely, and what came and went in "
            "between was missed."
        )
    if outside:
        texts.append(f"{NOT_OBSERVED} {'; '.join(outside)}.")
    return texts


def _not_observed(coverage: Coverage) -> list[Clause]:
    clauses = []
    if coverage.never >= SOME_SHARE:
        share = phrases.share(coverage.never)
        clauses.append(Clause(f"{NOT_OBSERVED} {share} of the site, which no usable image shows."))
    if coverage.once >= SOME_SHARE:
        share = phrases.share(coverage.once)
        clauses.append(Clause(f"{NOT_COMPARED} {share} of the site, which one image only shows."))
    return clauses


def _ids(events: Sequence[Event]) -> tuple[str, ...]:
    return tuple(event.id for event in events)
