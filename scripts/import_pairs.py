"""Bring a public change-detection set into the package's own pair format.

    python scripts/import_pairs.py --layout s2looking --source ~/S2Looking --out pairs

Imports several sets into one folder if run several times. What each layout looks like and how its
labels are read is said in docs/data.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from groundbreak.errors import InputError
from groundbreak.importers.pair import Options
from groundbreak.importers.write import LAYOUTS, WriteOptions, import_pairs, refuse_options
from groundbreak.pairs.index import read_index
from groundbreak.types import MaskValue

CHANGE_AS = {
    "new_building": MaskValue.NEW_BUILDING,
    "demolition": MaskValue.DEMOLITION,
    "unknown": MaskValue.UNKNOWN_DIRECTION,
}


def main(arguments: list[str] | None = None) -> int:
    """Parse, import, check the index that was written."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--layout", required=True, choices=LAYOUTS, help="the set's layout")
    parser.add_argument("--source", required=True, type=Path, help="folder of the set")
    parser.add_argument("--out", required=True, type=Path, help="folder of the pairs")
    parser.add_argument("--tile", type=int, metavar="PX", help="cut scenes into tiles")
    parser.add_argument("--limit", type=int, metavar="N", help="import no more than N pairs")
    parser.add_argument(
        "--change-as", choices=CHANGE_AS, help="label of changes without a direction"
    )
    parser.add_argument(
        "--swap-dates", action="store_true", help="take the other image as the earlier one"
    )
    parser.add_argument(
        "--months", type=int, metavar="N", help="gap between the dates of a monthly series (12)"
    )
    given = parser.parse_args(arguments)
    for name in ("tile", "limit", "months"):
        if getattr(given, name) is not None and getattr(given, name) < 1:
            parser.error(f"--{name} must be at least 1")
    layout = LAYOUTS[given.layout]
    asked = {name: getattr(given, name) for name in ("change_as", "swap_dates", "months")}
    try:
        refuse_options(layout, [name for name, value in asked.items() if value])
        options = Options(
            CHANGE_AS[given.change_as] if given.change_as else None,
            given.swap_dates,
            given.months or Options.months,
        )
        write = WriteOptions(given.tile, given.limit)
        count = import_pairs(layout, given.source, given.out, options, write)
        total = len(read_index(given.out))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{count} pairs of {layout.set} → {given.out} ({total} in its index)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
