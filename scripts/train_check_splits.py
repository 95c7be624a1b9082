"""Say whether the splits of a folder of pairs share ground.

    python scripts/train_check_splits.py ../shared/data/pairs levir mshs_bcd

Exit code 1 if they do. Training refuses such pairs by itself.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from groundbreak.pairs.index import read_index, read_pair
from groundbreak.pairs.splits import find_leaks, fingerprint


def main() -> int:
    """Parse, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("sets", nargs="*", help="all sets if none is named")
    options = parser.parse_args()
    records = [r for r in read_index(options.folder) if not options.sets or r.set in options.sets]
    leaks = find_leaks([fingerprint(r, read_pair(r), r.split) for r in records])
    for leak in leaks:
        print(leak)
    print(f"{len(records)} scenes, {len(leaks)} leaks")
    return 1 if leaks else 0


if __name__ == "__main__":
    raise SystemExit(main())
