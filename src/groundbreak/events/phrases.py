"""Small pieces of plain English: dates, intervals, numbers, hedges."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from groundbreak.times import Precision, precision

NUMBERS = (
    "no one two three four five six seven eight nine ten eleven twelve".split()  # noqa: SIM905
)

Span = tuple[datetime, datetime]


def count(number: int, singular: str, plural: str | None = None) -> str:
    """``three buildings``; digits above twelve."""
    word = NUMBERS[number] if number < len(NUMBERS) else str(number)
    return f"{word} {singular if number == 1 else plural or singular + 's'}"


def listed(items: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def sentence(text: str) -> str:
    """With a capital at the beginning and a full stop at the end."""
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def date(span: Span, *, with_year: bool = True) -> str:
    """A look's date, no more exact than it is known: ``3 January 2024``, ``May 2018``, ``2018``."""
    start, end = (moment.astimezone(UTC) for moment in span)
    known = precision((start, end))
    if known is Precision.YEAR:
        return f"{start:%Y}"
    if known is Precision.MONTH:
        return f"{start:%B %Y}"
    if start.date() == end.date():
        return f"{start.day} {start:%B}" + (f" {start:%Y}" if with_year else "")
    return f"{date((start, start))} to {date((end, end))}"


def between(before: Span | None, after: Span | None) -> str:
    """An interval in words: ``between 3 January and 14 March 2024``.

    Looks of one day get their times, coarse dates are said as coarse as they are. Of a look that
    goes on past midnight the outer day counts.
    """
    before = before if before is None else _outer(before, 0)
    after = after if after is None else _outer(after, 1)
    if before is None or after is None:
        if after is not None:
            return f"{'before' if _exact(after) else 'in or before'} {date(after)}"
        return "at an unknown time" if before is None else f"after {date(before)}"
    if date(before) == date(after):
        if _exact(after) and before != after:
            return f"on {date(after)} between {before[0]:%H:%M} and {after[1]:%H:%M} UTC"
        return f"{'on' if _exact(after) else 'in'} {date(after)}"
    if before[0].year != after[1].year:
        return f"between {date(before)} and {date(after)}"
    if _exact(before) and _exact(after):
        return f"between {date(before, with_year=False)} and {date(after)}"
    first = date(before) if _exact(before) else f"the beginning of {date(before)}"
    last = date(after) if _exact(after) else f"the end of {date(after)}"
    return f"between {first} and {last}"


def by(after: Span) -> str:
    """``by 9 July 2024``; ``by the end of 2018`` where only the year is known."""
    after = _outer(after, 1)
    return f"by {date(after)}" if _exact(after) else f"by the end of {date(after)}"


def _outer(span: Span, end: int) -> Span:
    """A span of less than a day over midnight as its beginning (0) or end (1) alone."""
    over_midnight = not _exact(span) and span[1] - span[0] < timedelta(days=1)
    return (span[end], span[end]) if over_midnight else span


def _exact(span: Span) -> bool:
    return span[0].astimezone(UTC).date() == span[1].astimezone(UTC).date()


def share(part: float) -> str:
    """``12 %``, ``1.6 %``, ``less than 0.1 %``."""
    if 0 < part < 0.001:
        return "less than 0.1 %"
    tenths = round(100 * part, 1)
    return f"{tenths:g} %" if tenths < 10 else f"{100 * part:.0f} %"


def hedge(confidence: float) -> str:
    """How sure we are, as one word before the participle; empty when nearly certain.

    Words of estimative probability as intelligence analysts use them (ICD 203, 2015): likely
    from 55 %, very likely from 80 %, almost certain from 95 %. Of the three digits that the files
    give, so that word and number agree.
    """
    confidence = round(confidence, 3)
    if confidence >= 0.95:
        return ""
    if confidence >= 0.80:
        return "very likely"
    if confidence >= 0.55:
        return "probably"
    return "possibly"
