"""Times as the imagery knows them: an instant, a day, a month or a year, never more than is said.

A time is a pair (first instant, last instant) in UTC, equal if it is known exactly. Intervals
between looks use these outer bounds.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from groundbreak.errors import CatalogError

Span = tuple[datetime, datetime]

_SECOND = timedelta(seconds=1)


class Precision(StrEnum):
    """How exactly a time is known."""

    INSTANT = "instant"
    DAY = "day"
    MONTH = "month"
    YEAR = "year"
    RANGE = "range"  # between two stated times


def instant(moment: datetime) -> Span:
    """A moment in UTC; one without a time zone is taken as UTC."""
    utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return utc, utc


def day(year: int, month: int, number: int) -> Span:
    """A whole day; ``ValueError`` if the calendar has no such day."""
    start = datetime(year, month, number, tzinfo=UTC)
    return start, start + timedelta(days=1) - _SECOND


def month(year: int, number: int) -> Span:
    """A whole month."""
    last = calendar.monthrange(year, number)[1]
    return day(year, number, 1)[0], day(year, number, last)[1]


def year(number: int) -> Span:
    """A whole year."""
    return day(number, 1, 1)[0], day(number, 12, 31)[1]


def widen(span: Span, precision: Precision) -> Span:
    """The whole day, month or year in which a time begins."""
    start = span[0]
    wide: dict[Precision, Callable[[], Span]] = {
        Precision.DAY: lambda: day(start.year, start.month, start.day),
        Precision.MONTH: lambda: month(start.year, start.month),
        Precision.YEAR: lambda: year(start.year),
    }
    return wide[precision]() if precision in wide else span


def precision(span: Span) -> Precision:
    """How exactly a time is known, told from its bounds.

    >>> precision(parse_time("2018")), precision(parse_time("2018-05-30T15:28:00Z"))
    (<Precision.YEAR: 'year'>, <Precision.INSTANT: 'instant'>)
    """
    if span[0] == span[1]:
        return Precision.INSTANT
    for candidate in (Precision.DAY, Precision.MONTH, Precision.YEAR):
        if span == widen(span, candidate):
            return candidate
    return Precision.RANGE


_DATE = re.compile(r"(\d{4})([-:/.]?)(\d{2})\2(\d{2})(?![-:/.]?\d)")
_DATE_TIME = re.compile(
    r"""(\d{4})([-:/.]?)(\d{2})\2(\d{2})          # the day
        [T_\s-]?
        (\d{2}):?(\d{2})(?::?(\d{2})(\.\d+)?)?    # the time of day
        \s*(Z|UTC|[+-]\d{2}:?\d{2})?""",
    re.VERBOSE | re.IGNORECASE,
)


def parse_time(text: str) -> Span:
    """Read ``2018``, ``2018-05``, ``2018-05-30``, ``20180530``, a date with a time, or ``A/B``.

    Times without a zone are UTC. Day-first and month-first dates are refused: nothing says which
    of them is meant.

    Raises:
        ValueError: it is none of these; the message reads on from the name of the field.
    """
    text = text.strip()
    if _is_range(text):
        first, _, last = text.partition("/")
        span = parse_time(first)[0], parse_time(last)[1]
        if span[1] < span[0]:
            raise ValueError(f"{text!r} ends before it begins")
        return span
    try:
        return _parse(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a date: write it as YYYY-MM-DD") from error


def _is_range(text: str) -> bool:
    return "/" in text and not re.match(r"\s*(\d{4}/\d{2}/\d{2}|\d{1,2}/\d{1,2}/\d{4})", text)


def _parse(text: str) -> Span:
    if re.fullmatch(r"\d{4}", text):
        return year(int(text))
    if found := re.fullmatch(r"(\d{4})-(\d{2})", text):
        return month(int(found[1]), int(found[2]))
    if found := _DATE.fullmatch(text):
        return day(int(found[1]), int(found[3]), int(found[4]))
    if found := _DATE_TIME.fullmatch(text):
        numbers = [int(found[i] or 0) for i in (1, 3, 4, 5, 6, 7)]
        moment = datetime.strptime(" ".join(map(str, numbers)), "%Y %m %d %H %M %S")
        moment += timedelta(microseconds=round(float(found[8] or 0) * 1e6))
        return instant(moment - _zone(found[9]))
    raise ValueError(text)


def _zone(text: str | None) -> timedelta:
    if text is None or text[0] not in "+-":
        return timedelta()
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return timedelta(minutes=minutes if text[0] == "+" else -minutes)


def parse_range(text: str, subject: str = "dates") -> tuple[datetime | None, datetime | None]:
    """Read a range of dates ``A/B``; either end may be ``..`` or empty, and ``A`` is ``A/A``.

    Args:
        text: the range, its outer bounds included.
        subject: the option or field it is from, for the message.

    Raises:
        CatalogError: an end is not a date, or the range ends before it begins.
    """
    first, last = text.split("/", 1) if _is_range(text) else (text, text)
    try:
        start = None if first.strip() in ("", "..") else parse_time(first)[0]
        end = None if last.strip() in ("", "..") else parse_time(last)[1]
    except ValueError as error:
        raise CatalogError(subject, str(error)) from error
    if start is not None and end is not None and end < start:
        raise CatalogError(subject, f"{text!r} ends before it begins")
    return start, end


def describe(span: Span) -> str:
    """A time for people, no more exact than it is known.

    >>> describe(parse_time("2018-05-30")), describe(parse_time("2018-05")), describe(year(2018))
    ('2018-05-30', 'May 2018', '2018')
    """
    start, end = span
    known = precision(span)
    if known is Precision.INSTANT:
        return f"{start:%Y-%m-%d %H:%M} UTC"
    if known is Precision.DAY:
        return f"{start:%Y-%m-%d}"
    if known is Precision.MONTH:
        return f"{calendar.month_name[start.month]} {start.year}"
    if known is Precision.YEAR:
        return str(start.year)
    return f"{start:%Y-%m-%d} to {end:%Y-%m-%d}"
