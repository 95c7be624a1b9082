"""The tables and the summary of a run folder: their columns, written and read with checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundbreak.atomic import atomic_path
from groundbreak.pipeline.folder import read_document, unreadable

if TYPE_CHECKING:
    import pyarrow as pa

OBSERVED = (
    ("site_id", "string"),
    ("look_id", "string"),
    ("start", "timestamp"),
    ("end", "timestamp"),
    ("scene_ids", "strings"),
    ("sensor", "string"),
    ("gsd_m", "double"),
    ("valid_share", "double"),
    ("usable_share", "double"),
    ("used", "bool"),
    ("reason", "string"),
    ("shift_x", "double"),
    ("shift_y", "double"),
    ("residual_px", "double"),
    ("aligned", "bool"),
    ("alignment_note", "string"),
    ("cloud_masked", "bool"),
    ("site_notes", "strings"),
)

LEDGER = (
    ("site_id", "string"),
    ("object_id", "string"),
    ("look_id", "string"),
    ("date", "timestamp"),
    ("scene_ids", "strings"),
    ("sensor", "string"),
    ("usable_fraction", "double"),
    ("residual_px", "double"),
    ("evidence", "double"),
    ("counted", "bool"),
    ("reason", "string"),
)

NEWER = ("alignment_note",)
"""Columns that tables of earlier versions lack."""


def write_table(
    path: Path, columns: Sequence[tuple[str, str]], rows: Iterable[Mapping[str, Any]]
) -> None:
    """Rows as Parquet with a fixed schema, also if there are none.

    Raises:
        OutputError: the file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist([dict(row) for row in rows], schema=_schema(columns))
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_table(path: Path, columns: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """Rows of a table of a run.

    Args:
        path: the file.
        columns: that it was written with.

    Raises:
        OutputError: it is missing or damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        there = [c for c in columns if c[0] not in NEWER or c[0] in table.column_names]
        table = table.select([name for name, _ in there]).cast(_schema(there))
        rows: list[dict[str, Any]] = table.to_pylist()
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise unreadable(path, error) from error
    return rows


def _schema(columns: Sequence[tuple[str, str]]) -> pa.Schema:
    import pyarrow as pa

    kinds = {
        "string": pa.string(),
        "strings": pa.list_(pa.string()),
        "double": pa.float64(),
        "bool": pa.bool_(),
        "timestamp": pa.timestamp("us", tz="UTC"),
    }
    return pa.schema([(name, kinds[kind]) for name, kind in columns])


def read_summary(run: Path) -> list[dict[str, Any]]:
    """The sites of ``summary.json``.

    Raises:
        OutputError: it is missing or damaged.
    """
    return read_document(run / "summary.json", lambda d: [_summary(site) for site in d["sites"]])


def _summary(site: dict[str, Any]) -> dict[str, Any]:
    """A site of ``summary.json``, if it has what readers take from it."""
    parts: dict[str, Any] = {
        **dict.fromkeys(("id", "name", "remark"), str),
        **dict.fromkeys(("notes", "sentences"), list),
        "looks": int,
        "not_observed": dict,
    }
    gaps: dict[str, Any] = {
        "never_share": float | None,
        "once_share": float | None,
        "periods": list,
    }
    told: dict[str, Any] = {"text": str, "events": list}
    objects = [(site, parts), (site["not_observed"], gaps), *((s, told) for s in site["sentences"])]
    for entry, kinds in objects:
        for name, kind in kinds.items():
            if not isinstance(entry[name], kind):
                raise TypeError(f"{name} is {entry[name]!r}")
    return site
