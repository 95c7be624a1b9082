"""Make before/after pairs of docking slips from single pictures of real ports.

    python scripts/make_slip_pairs.py --ports ../shared/data/eo/ports -o runs/slips

Writes the package's own pair format (sets ``slips_s2``, 10 m, and ``slips_ps3m``, 2 and 3 m).
What is made, and what it is good for, is said in docs/slips.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from groundbreak.errors import InputError
from groundbreak.pairs.index import read_index
from groundbreak.slipmaking import folder

COUNTS = {
    ("slips_s2", "train"): 600,
    ("slips_s2", "val"): 80,
    ("slips_s2", "test"): 120,
    ("slips_ps3m", "train"): 360,
    ("slips_ps3m", "test"): 60,
}


def main(arguments: list[str] | None = None) -> int:
    """Parse, make, check the index that was written."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ports", type=Path, required=True, help="folder of folders, one a port")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--share", type=float, default=1.0, help="of the usual number of pairs")
    parser.add_argument("--splits", nargs="+", default=["train", "val", "test"])
    parser.add_argument("--sets", nargs="+", default=["slips_s2", "slips_ps3m"])
    given = parser.parse_args(arguments)
    try:
        for (name, split), count in COUNTS.items():
            if name in given.sets and split in given.splits:
                make(
                    given.ports, given.output, (name, split), round(count * given.share), given.seed
                )
        print(f"{len(read_index(given.output))} pairs in {given.output}")
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def make(ports: Path, out: Path, which: tuple[str, str], count: int, seed: int) -> None:
    """Make one split of one set."""
    name, split = which
    kind = folder.SLIPS_S2 if name == folder.SLIPS_S2.name else folder.SLIPS_PS3M
    read = folder.read_ports(ports, kind, split)
    rows = [
        folder.write_pair(out, kind, split, scene, pair)
        for scene, pair in folder.make_pairs(read, kind, split, count, seed)
    ]
    folder.add_to_index(out, rows)
    print(f"{name}/{split}: {len(rows)} pairs")


if __name__ == "__main__":
    sys.exit(main())
