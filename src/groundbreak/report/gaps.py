"""What a run could not see, and what it never began with, in words."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from groundbreak.events.phrases import share
from groundbreak.events.summary import SOME_SHARE as SEEN_SHARE
from groundbreak.events.summary import Coverage, Period, unseen
from groundbreak.report.timeline import look_date, unchecked

ALMOST_ALL = 0.95
"""Of a site; where less was compared zeros in the table of sites would mislead."""
SOME_SHARE = 0.001
SOME_HIDDEN = 0.02
MOST_DATES = 8
"""That are listed; the table of looks has them all."""

Rows = Sequence[Mapping[str, Any]]


def not_observed(summary: Mapping[str, Any], observed: Rows) -> list[str]:
    """The parts and the times of a site that no look shows; nothing if its remark says it all.

    Args:
        summary: of the site, from ``summary.json``.
        observed: its rows of ``observed.parquet``.
    """
    known = summary["not_observed"]
    if known["never_share"] is None:
        return []
    texts = [
        f"{share(known[key])} of the site {words}."
        for key, words in (
            ("never_share", "was not usable in any look"),
            ("once_share", "was usable in one look only: nothing to compare it with"),
        )
        if known[key] >= SOME_SHARE
    ]
    hidden = [row for row in observed if row["used"] and row["usable_share"] < 1 - SOME_HIDDEN]
    if len(hidden) > MOST_DATES:
        worst = min(hidden, key=lambda row: row["usable_share"])
        texts.append(
            f"Parts were not seen in {len(hidden)} looks, the most on {_hidden(worst)} (all below)."
        )
    elif hidden:
        texts.append("Parts were not seen on " + ", ".join(map(_hidden, hidden)) + ".")
    unused = [row for row in observed if not row["used"]]
    if len(unused) > MOST_DATES:
        texts.append(f"Not used at all: {len(unused)} looks (dates and reasons below).")
    elif unused:
        texts.append("Not used at all: " + ", ".join(map(look_date, unused)) + " (reasons below).")
    gaps = [
        Period(*(datetime.fromisoformat(gap[name]) for name in ("start_datetime", "end_datetime")))
        for gap in known["periods"]
    ]
    used = [row for row in observed if row["used"] and row["usable_share"] >= SEEN_SHARE]
    seen = (used[0]["start"], used[-1]["end"]) if used else None
    return texts + unseen(gaps, seen)


def partly_compared(summary: Mapping[str, Any]) -> str:
    """``31 % compared`` of a site of which much was not; empty for others."""
    known = summary["not_observed"]
    if known["never_share"] is None or known["once_share"] is None:
        return ""
    compared = Coverage(known["never_share"], known["once_share"]).compared
    return f"{share(compared)} compared" if compared < ALMOST_ALL else ""


def not_checked(observed: Rows, *, events: bool) -> list[str]:
    """What it means that looks could not be laid over the others, and what to do; or nothing.

    Args:
        observed: the site's rows of ``observed.parquet``.
        events: whether there are any to look at.
    """
    looks = [row for row in observed if unchecked(row)]
    if not looks:
        return []
    one = len(looks) == 1
    dates = ", ".join(map(look_date, looks))
    which = f"{len(looks)} looks (in the table of looks)" if len(looks) > MOST_DATES else dates
    texts = [
        f"It could not be checked whether the image{'' if one else 's'} of {which} "
        f"lie{'s' if one else ''} exactly over the others: too little that stays in place, such "
        "as roads and roofs, was found in both, or it gave no clear answer. "
        f"{'It was' if one else 'They were'} used where the coordinates in the file "
        f"put {'it' if one else 'them'}, or moved as far as is sure.",
    ]
    advice = (
        "What to do: look at roads and roofs in the before and after pictures of events with the "
        "tag “misregistered”. If they are shifted, such an event may be no change, most of all "
        "where many lie in a row along one side. The reasons are in the table of looks; what "
        "helps is in docs/troubleshooting.md."
    )
    return [*texts, advice] if events else texts


def nothing_hidden(observed: Rows) -> str:
    """What is said where `not_observed` has nothing to say."""
    if all(row["usable_share"] >= 1 - SOME_SHARE for row in observed if row["used"]):
        return "The whole site was seen on every date used."
    return "Hardly a part of the site was hidden on any date used."


def _hidden(row: Mapping[str, Any]) -> str:
    return f"{look_date(row)} ({share(1 - row['usable_share'])})"


def refused_sites(observed: Rows, known: Collection[str]) -> list[dict[str, str]]:
    """Sites of the watch-list that the run could not begin with, and why.

    Args:
        observed: all rows of ``observed.parquet``.
        known: ids of the sites that it did begin with.
    """
    return [
        {"name": row["site_id"], "remark": f"refused: {row['reason']}"}
        for row in observed
        if row["site_id"] and not row["look_id"] and row["site_id"] not in known
    ]
