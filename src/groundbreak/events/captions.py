"""What kinds and flags are called before people."""

from __future__ import annotations

from collections.abc import Mapping

TITLES: Mapping[str, str] = {
    "new_building": "New building",
    "demolition": "Demolition",
    "docking_slip": "Docking slip",
}
"""Of kinds."""

MEANINGS: Mapping[str, str] = {
    "low_resolution": "small for the pixels it was seen in",
    "tide": "the water's edge moves here",
    "misregistered": "the two images may be shifted against each other: "
    "compare roads and roofs before and after",
    "partly_cloudy": "part of the footprint was hidden in one of the looks",
    "single_pair": "only two looks show this place",
    "edge_of_site": "cut by the edge of the site",
    "no_cloud_mask": "clouds were found by groundbreak itself: no mask was delivered",
    "assumed_date": "a date was assumed by whoever made the catalogue",
    "coarse_date": "a date is known to the month or year only",
    "mixed_sensors": "the two looks are of different sensors",
    "panchromatic": "one of the looks is in shades of grey, in which more is taken for a change",
}
"""Of flags: why to take care."""
