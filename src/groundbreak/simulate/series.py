"""A simulated series on disk: dated rasters, the watch-list and the truth."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from shapely.geometry import MultiPolygon, mapping
from shapely.geometry.base import BaseGeometry
from shapely.geometry.polygon import orient

from groundbreak.atomic import write_json, write_text
from groundbreak.raster.write import write_cog
from groundbreak.simulate.site import SimulatedSite, SimulationConfig, simulate_site
from groundbreak.simulate.surfaces import BANDS
from groundbreak.simulate.truth import TruthEvent, to_lonlat

NOTE = "simulated by groundbreak: a fictional place, no satellite saw it"

README = """SIMULATED DATA - NOT SATELLITE IMAGERY

Everything in this folder was drawn by `groundbreak simulate` (seed {seed}). The places are
fictional; their coordinates lie in the open ocean. No pixel comes from a real picture.

scenes/<site>_<YYYY-MM-DD>.tif  one look: {bands}, {encoding}, {gsd:g} m, local UTM; 0 is
                                outside the swath. Tags: ACQUISITION_DATE, SIMULATED=yes.
sites.geojson                   the watch-list.
truth.geojson                   what happened, exactly. One feature per event (kind
                                new_building, demolition or docking_slip) and per object that
                                never changed (kind null). Lon/lat outlines on the ground.

Fields of truth.geojson
  id, object_id, site_id, kind
  start_datetime           begin of works
  end_datetime             the building stands, is gone, or the slip is flooded;
                           null: not finished at the last look
  cleared_start_datetime,
  cleared_end_datetime     when the plot was bare ground (end null: it still is)
  replaces                 id of the event whose plot this one takes, or null
  area_m2                  of the footprint
  simulated                always true
"""


def write_series(
    folder: Path, seed: int, sites: int = 1, config: SimulationConfig | None = None
) -> list[SimulatedSite]:
    """Write simulated series of one or several sites.

    Writes ``scenes/<site>_<YYYY-MM-DD>.tif``, ``sites.geojson``, ``truth.geojson`` and
    ``README.txt``, which documents them.

    Args:
        folder: where to; created if need be.
        seed: the same seed gives the same files.
        sites: how many sites.
        config: what to simulate.

    Returns:
        The simulated sites.

    Raises:
        OutputError: the folder cannot be written.
    """
    config = config or SimulationConfig()
    # First, so that a folder that cannot be written is known at once.
    write_text(
        folder / "README.txt",
        README.format(
            seed=seed,
            bands=" ".join(BANDS[: config.bands]),
            encoding=config.encoding,
            gsd=config.gsd_m,
        ),
    )
    made = [simulate_site(seed, config, number) for number in range(sites)]
    for simulated in made:
        for index, date in enumerate(simulated.dates):
            look = simulated.render(index)
            tags = {
                "ACQUISITION_DATE": date.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "SIMULATED": "yes",
                "TIFFTAG_IMAGEDESCRIPTION": NOTE,
            }
            path = folder / "scenes" / f"{simulated.site.id}_{date:%Y-%m-%d}.tif"
            write_cog(path, look.pixels, simulated.geobox, BANDS[: config.bands], 0, tags)
    write_json(folder / "sites.geojson", _collection([_site_feature(s) for s in made]))
    features = [feature for simulated in made for feature in truth_features(simulated)]
    write_json(folder / "truth.geojson", _collection(features))
    return made


def truth_features(simulated: SimulatedSite) -> list[dict[str, Any]]:
    """The truth of a site as GeoJSON features: events, then objects that never changed."""
    features = [_event_feature(event, simulated) for event in simulated.truth]
    for number, shape in enumerate(simulated.unchanged, 1):
        properties = {
            "id": f"{simulated.site.id}-same{number}",
            "object_id": f"same{number}",
            "site_id": simulated.site.id,
            "kind": None,
            "area_m2": round(shape.area, 1),
            "simulated": True,
        }
        features.append(_feature(to_lonlat(shape, simulated.geobox), properties))
    return features


def _event_feature(event: TruthEvent, simulated: SimulatedSite) -> dict[str, Any]:
    cleared = event.cleared or (None, None)
    properties = {
        "id": event.id,
        "object_id": event.object_id,
        "site_id": event.site_id,
        "kind": event.kind.value,
        "start_datetime": _iso(event.start_datetime),
        "end_datetime": _iso(event.end_datetime),
        "cleared_start_datetime": _iso(cleared[0]),
        "cleared_end_datetime": _iso(cleared[1]),
        "replaces": event.replaces,
        "area_m2": round(event.footprint.area, 1),
        "simulated": True,
    }
    return _feature(to_lonlat(event.footprint, simulated.geobox), properties)


def _site_feature(simulated: SimulatedSite) -> dict[str, Any]:
    site = simulated.site
    properties = {"id": site.id, "name": site.name, **site.properties, "note": NOTE}
    return _feature(site.geometry, properties)


def _feature(shape: BaseGeometry, properties: dict[str, Any]) -> dict[str, Any]:
    parts = getattr(shape, "geoms", [shape])
    oriented = [orient(part) for part in parts]
    geometry = oriented[0] if len(oriented) == 1 else MultiPolygon(oriented)
    return {"type": "Feature", "properties": properties, "geometry": mapping(geometry)}


def _collection(features: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "FeatureCollection", "simulated": True, "features": features}


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
