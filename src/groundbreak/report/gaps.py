"""What a run could not see, and what it never began with, in words."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from groundbreak.report.timeline import day, look_date

SOME_SHARE = 0.001
SOME_HIDDEN = 0.02

Rows = Sequence[Mapping[str, Any]]


def not_observed(summary: Mapping[str, Any], observed: Rows) -> list[str]:
    """The parts and the times of a site that no look shows.

    Args:
        summary: of the site, from ``summary.json``.
        observed: its rows of ``observed.parquet``.
    """
    known = summary["not_observed"]
    if known["never_share"] is None:
        return [summary["remark"]]
    texts = [
        f"{known[key]:.1%} of the site {words}."
        for key, words in (
            ("never_share", "was not usable in any look"),
            ("once_share", "was usable in one look only: nothing to compare it with"),
        )
        if known[key] >= SOME_SHARE
    ]
    hidden = [
        f"{look_date(row)} ({1 - row['usable_share']:.0%})"
        for row in observed
        if row["used"] and row["usable_share"] < 1 - SOME_HIDDEN
    ]
    if hidden:
        texts.append("Parts were hidden on " + ", ".join(hidden) + ".")
    left_out = [look_date(row) for row in observed if not row["used"]]
    if left_out:
        texts.append("Not used at all: " + ", ".join(left_out) + " (reasons below).")
    return texts + [
        f"Nothing was seen between {day(p['start_datetime'])} and {day(p['end_datetime'])}."
        for p in known["periods"]
    ]


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
