"""Say whether the splits of a folder of pairs share ground.

    python scripts/train_check_splits.py ../shared/data/pairs levir mshs_bcd

Exit code 1 if they do. Training refuses such pairs by itself.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from groundbreak.errors import DataError, InputError
from groundbreak.pairs.index import PairRecord, read_index, read_pair
from groundbreak.pairs.splits import find_leaks, fingerprint


def main() -> int:
    """Parse, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("sets", nargs="*", help="all sets if none is named")
    options = parser.parse_args()
    try:
        records = chosen(options.folder, options.sets)
        leaks = find_leaks([fingerprint(r, read_pair(r), r.split) for r in records])
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    for leak in leaks:
        print(leak)
    print(f"{len(records)} scenes, {len(leaks)} leaks")
    return 1 if leaks else 0


def chosen(folder: Path, sets: list[str]) -> list[PairRecord]:
    """The pairs of some sets, or of all.

    Raises:
        DataError: there is no such set, or no pair.
    """
    records = read_index(folder)
    known = {record.set for record in records}
    for name in sets:
        if name not in known:
            raise DataError(str(folder), f"has no set {name}", f"it has {', '.join(sorted(known))}")
    if not records:
        raise DataError(str(folder), "lists no pair")
    return [record for record in records if not sets or record.set in sets]


if __name__ == "__main__":
    raise SystemExit(main())
