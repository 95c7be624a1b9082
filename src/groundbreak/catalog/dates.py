"""When a scene was taken, from its tags or its name; never from the file's modification time.

Names are read in the styles of the usual products first, because their names hold several dates
of which only one is the acquisition. Other names must be unambiguous.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from groundbreak import times
from groundbreak.catalog.styles import MONTHS, STYLES
from groundbreak.times import Precision, Span

LIST_IT = "list the file in dates.csv"


@dataclass(frozen=True)
class Acquired:
    """When a scene was taken: first and last instant in UTC, and where that is written."""

    span: Span
    source: str
    note: str | None = None


_MON = "|".join(MONTHS)
_EDGE = r"(?<![0-9A-Za-z])"
_NOT_ON = r"(?![0-9A-Za-z])"
_YEAR = r"(19[3-9]\d|20\d\d)"
# What a date looks like in a name of no known style. Letters may stand right before compact
# digits ("img20190101"), but not digits: the ids of catalogues hold eight digits in a row too.
_ISO_LIKE = re.compile(
    rf"(?<!\d){_YEAR}([-_.])(\d\d)\2(\d\d)(?!\d)"
    r"(?:T(\d\d)[:_-]?(\d\d)(?:[:_-]?(\d\d))?|[_ -](\d\d)[:.-](\d\d)[:.-](\d\d)(?!\d))?"
)
_COMPACT = re.compile(rf"{_EDGE}[A-Za-z]*?{_YEAR}(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)?Z?)?{_NOT_ON}")
_DIGITS14 = re.compile(rf"{_EDGE}{_YEAR}(\d\d)(\d\d)(\d\d)(\d\d)(\d\d){_NOT_ON}")
_NAMED_MONTH = re.compile(rf"{_EDGE}(\d\d)[-_ ]?({_MON})[a-z]*[-_ ]?{_YEAR}(?!\d)", re.IGNORECASE)
_YEAR_FIRST_MONTH = re.compile(rf"{_EDGE}{_YEAR}[-_ ]?({_MON})[-_ ]?(\d\d)(?!\d)", re.IGNORECASE)
_SHORT_YEAR = re.compile(rf"{_EDGE}\d\d({_MON})\d\d(?!\d)", re.IGNORECASE)
_YEAR_LAST = re.compile(rf"(?<!\d)\d\d?([-_.])\d\d?\1{_YEAR}(?!\d)")
_MONTH_LIKE = re.compile(rf"{_EDGE}{_YEAR}[-_](\d\d)(?!\d|[-_.]\d(?!\d{{3}}[-_]))")
_NUMBER = re.compile(rf"{_EDGE}\d+{_NOT_ON}")
_LONE_YEAR = re.compile(r"19[3-9]\d|20[0-3]\d")  # 2048 is the size of a picture
_PLACE_WORD = re.compile(
    r"(?<![A-Za-z])(tile|row|col|column|patch|chip|crop|part|path|block|frame|grid|epsg|id|no|nr|utm|x|y|z|n|e|s|w)"
    r"[-_. ]*$",
    re.IGNORECASE,
)

TAGS = (
    "ACQUISITION_DATETIME",
    "ACQUISITIONDATETIME",
    "ACQUISITION_DATE",
    "SENSING_TIME",
    "DATATAKE_1_DATATAKE_SENSING_START",
    "FIRSTLINETIME",
    "DATE_ACQUIRED",
    "ACQUIRED",
    "NITF_IDATIM",
)
"""Tags that hold the acquisition time, the most exact first."""

TIFF_DATETIME = "TIFFTAG_DATETIME"
"""The TIFF standard's time: often that of processing, so the last to be believed."""


def decide(path: str, tags: Mapping[str, str], sidecar: Mapping[str, Any] | None) -> Acquired:
    """When a file was taken, by the most trustworthy of its witnesses.

    These are, in this order: a STAC item beside it, tags of the acquisition, its name, its
    folders, and at last the time of the TIFF standard, which often is that of processing.

    Args:
        path: relative to the folder that is scanned, with ``/``.
        tags: of the file.
        sidecar: properties of the STAC item beside it.

    Raises:
        ValueError: none of them tells, or one tells what is no date, in words that read on from
            the file's name.
    """
    found = from_properties(sidecar or {}) or from_tags(tags) or from_path(path)
    if found is not None:
        return found
    tiff = from_tiff_datetime(tags)
    if tiff is None:
        raise ValueError("has no date: put it into the name (YYYY-MM-DD), a tag, or dates.csv")
    return replace(tiff, note=f"dated by {TIFF_DATETIME}, which often is the time of processing")


def from_properties(properties: Mapping[str, Any]) -> Acquired | None:
    """The time that the properties of a STAC item state: the range if there is one.

    Raises:
        ValueError: what they state is no time.
    """
    start, end = properties.get("start_datetime"), properties.get("end_datetime")
    exact = properties.get("datetime")
    if not (start and end) and not exact:
        return None
    try:
        if start and end:
            span = times.parse_time(str(start))[0], times.parse_time(str(end))[1]
        else:
            span = times.parse_time(str(exact))
    except ValueError as error:
        raise ValueError(f"datetime {error}") from error
    if span[1] < span[0]:
        raise ValueError("end_datetime is before start_datetime")
    return Acquired(span, "STAC item")


def from_tags(tags: Mapping[str, str]) -> Acquired | None:
    """The acquisition time that a file's tags state; ``DATE_PRECISION`` can only widen it.

    Raises:
        ValueError: such a tag is there, but what it holds is no date.
    """
    upper = {key.upper(): value.strip() for key, value in tags.items()}
    for name in TAGS:
        text = upper.get(name, "")
        if not re.search(r"\d", text):  # NITF fills an unknown time with dashes
            continue
        clock = upper.get("ACQUISITION_TIME", "") if name == "ACQUISITION_DATE" else ""
        try:
            span = times.parse_time(f"{text} {clock}".strip())
        except ValueError as error:
            raise ValueError(f"tag {name} {error}") from error
        coarse = upper.get("DATE_PRECISION", "").lower()
        if coarse in (Precision.DAY, Precision.MONTH, Precision.YEAR):
            wide = times.widen(span, Precision(coarse))
            span = min(span[0], wide[0]), max(span[1], wide[1])
        return Acquired(span, f"tag {name}")
    return None


def from_tiff_datetime(tags: Mapping[str, str]) -> Acquired | None:
    """The time of ``TIFFTAG_DATETIME``, None if there is none that can be read."""
    text = tags.get(TIFF_DATETIME, "")
    try:
        return Acquired(times.parse_time(text), f"tag {TIFF_DATETIME}") if text else None
    except ValueError:
        return None


def from_path(path: str) -> Acquired | None:
    """The acquisition time that a file's name states, else the nearest of its folders.

    Args:
        path: relative to the folder that is scanned, with ``/``; folders above it never count.

    Raises:
        ValueError: the name holds several dates, or something that only looks like a date.
    """
    *folders, name = PurePosixPath(path).parts
    span = from_name(PurePosixPath(name).stem)
    if span is not None:
        return Acquired(span, "file name")
    for depth in range(len(folders), 0, -1):
        text = folders[depth - 1].removesuffix(".SAFE")
        nested = re.search(rf"(?:^|/){_YEAR}/(\d\d?)(?:/(\d\d?))?$", "/".join(folders[:depth]))
        span = _nested(nested) if nested else from_name(text)
        if span is not None:
            return Acquired(span, "folder name")
    return None


def from_name(name: str) -> Span | None:
    """The acquisition time in one name without its suffix, None if it holds none.

    Raises:
        ValueError: the name holds several dates, or something that only looks like a date.
    """
    for style in STYLES:
        found = style.pattern.search(name)
        if found:
            return _of_style(found.groupdict())
    return _of_any_name(name)


def _of_style(groups: Mapping[str, str | None]) -> Span | None:
    if month := groups.get("month"):
        first = times.parse_time(month.replace("_", "-"))
        last = times.parse_time(groups.get("last") or month.replace("_", "-"))
    elif doy := groups.get("doy"):
        new_year = times.year(int(doy[:4]))[0]
        first = last = times.parse_time(_day_of_year(new_year.year, int(doy[4:])))
    elif ymd := groups.get("ymd"):
        century = "19" if int(ymd[:2]) > 90 else "20"
        first = last = _calendar_day(century + ymd[:2], ymd[2:5], ymd[5:])
    elif date := groups.get("date"):
        first = times.parse_time(date)
        last = times.parse_time(groups.get("last") or date)
    else:
        return None
    if clock := groups.get("time"):
        return times.parse_time(f"{first[0]:%Y%m%d}T{clock}")
    return first[0], last[1]


def _of_any_name(name: str) -> Span | None:
    spans, wrong = _full_dates(name)
    days = {span[0].date() for span in spans}
    if len(days) > 1:
        several = ", ".join(sorted(d.isoformat() for d in days))
        raise ValueError(
            f"its name holds several dates ({several}) and is of no known style: {LIST_IT}"
        )
    if spans:
        return min(spans, key=lambda span: span[1] - span[0])
    if wrong:
        raise ValueError(
            f"its name holds {wrong[0]!r}, which is no certain date: "
            f"write it as YYYY-MM-DD, or {LIST_IT}"
        )
    return _coarse_date(name)


def _full_dates(name: str) -> tuple[list[Span], list[str]]:
    """Every date to the day in a name, and what looks like one but is none or is ambiguous."""
    spans: list[Span] = []
    wrong: list[str] = []
    for pattern in (_ISO_LIKE, _DIGITS14, _COMPACT):
        for found in pattern.finditer(name):
            numbers = [n for n in found.groups() if n and n.isdigit()]
            if pattern is _DIGITS14 and set(found[0]) <= set("0123"):
                continue  # the quadkey of a map tile
            try:
                spans.append(times.parse_time("".join(numbers[:3])))
                if len(numbers) > 3:
                    clock = "".join(numbers[3:]).ljust(6, "0")
                    spans[-1] = times.parse_time("".join(numbers[:3]) + "T" + clock)
            except ValueError:
                wrong.append(found[0])
    for pattern, order in ((_NAMED_MONTH, (3, 2, 1)), (_YEAR_FIRST_MONTH, (1, 2, 3))):
        for found in pattern.finditer(name):
            try:
                spans.append(_calendar_day(*(found[i] for i in order)))
            except ValueError:
                wrong.append(found[0])
    if not spans:
        wrong += [found[0] for p in (_SHORT_YEAR, _YEAR_LAST) for found in p.finditer(name)]
    return spans, wrong


def _coarse_date(name: str) -> Span | None:
    """A month or a year, if no other number is in the name and none of it names a place."""
    months = {f[0]: f for f in _MONTH_LIKE.finditer(name) if not _counts_places(f)}
    numbers = list(_NUMBER.finditer(name))
    years = {f[0] for f in numbers if _LONE_YEAR.fullmatch(f[0]) and not _counts_places(f)}
    if len(months) > 1 or (len(years) > 1 and len(years) == len(numbers)):
        several = ", ".join(sorted(months or years))
        raise ValueError(
            f"its name holds several dates ({several}) and is of no known style: {LIST_IT}"
        )
    if months:
        found = next(iter(months.values()))
        number = int(found[2])
        return times.month(int(found[1]), number) if 1 <= number <= 12 else None
    return times.year(int(years.pop())) if years and len(numbers) == 1 else None


def _counts_places(found: re.Match[str]) -> bool:
    """Whether a number is that of a tile, a row or a zone rather than a date."""
    return _PLACE_WORD.search(found.string[: found.start()]) is not None


def _nested(found: re.Match[str]) -> Span | None:
    """The date of folders such as 2019/05 or 2019/05/12."""
    year, month, day = int(found[1]), int(found[2]), found[3]
    try:
        return times.day(year, month, int(day)) if day else times.month(year, month)
    except (ValueError, IndexError):
        return None


def _calendar_day(year: str, month: str, day: str) -> Span:
    return times.day(int(year), MONTHS.index(month.upper()) + 1, int(day))


def _day_of_year(year: int, number: int) -> str:
    return datetime.strptime(f"{year} {number:03d}", "%Y %j").strftime("%Y%m%d")
