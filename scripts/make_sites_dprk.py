"""Make configs/sites/dprk_public.geojson from a JSON file of publicly reported positions.

    python scripts/make_sites_dprk.py site_coordinates.json

The input has the lists ``sites`` (the source gives the site itself), ``city_level_only`` (the
source gives only the town that contains it) and ``not_found``. Nothing is measured here: the
radius of a site is the stated uncertainty plus a kilometre, so that what is meant lies inside
with its surroundings.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

MARGIN_M = 1000

NOTES = {
    "site": "Gazetteer-level position of the site, publicly reported; not measured from imagery.",
    "city": "Gazetteer-level position of the TOWN only, publicly reported: the site lies somewhere "
    "near it. Draw your own outline before you rely on it.",
}


def feature(entry: dict[str, Any]) -> dict[str, Any]:
    """One site of the input as a GeoJSON feature."""
    return {
        "type": "Feature",
        "properties": {
            "id": "kp-" + re.sub(r"[^a-z0-9]+", "-", entry["name"].lower()).strip("-"),
            "name": entry["name"],
            "buffer_m": entry["uncertainty_m"] + MARGIN_M,
            "level": entry["level"],
            "uncertainty_m": entry["uncertainty_m"],
            "source": entry["source"],
            "note": NOTES[entry["level"]],
        },
        "geometry": {"type": "Point", "coordinates": [entry["lon"], entry["lat"]]},
    }


def watchlist(positions: dict[str, Any]) -> dict[str, Any]:
    """The watch-list as a GeoJSON FeatureCollection."""
    return {
        "type": "FeatureCollection",
        "note": positions["note"],
        "not_found": positions["not_found"],
        "features": [feature(e) for e in positions["sites"] + positions["city_level_only"]],
    }


def main() -> None:
    """Read the arguments, write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("positions", type=Path, help="JSON file of publicly reported positions")
    default = Path(__file__).resolve().parents[1] / "configs" / "sites" / "dprk_public.geojson"
    parser.add_argument("-o", "--output", type=Path, default=default)
    arguments = parser.parse_args()
    document = watchlist(json.loads(arguments.positions.read_text(encoding="utf-8")))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    arguments.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
