"""Events as a GeoPackage that QGIS opens with colours and a working time slider."""

from __future__ import annotations

import errno
import shutil
import sqlite3
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from importlib import resources
from pathlib import Path

import shapely

from groundbreak.atomic import atomic_path
from groundbreak.types import Event
from groundbreak.writers.table import GEOMETRY, events_table

LAYER = "events"
STYLE_NAME = "groundbreak events"

_STYLES_TABLE = """
CREATE TABLE layer_styles (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  f_table_catalog TEXT(256), f_table_schema TEXT(256), f_table_name TEXT(256),
  f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT,
  useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30),
  update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
)
"""


def write_gpkg(events: Sequence[Event], path: Path) -> None:
    """Write events in the UTM zone of their site, with the style that QGIS applies by itself.

    One zone makes the layer ``events``; of several, each has its own, as ``events_32652``. Lists
    are JSON text, since a GeoPackage has no lists. Without events the layer is empty.

    Raises:
        OutputError: the file cannot be written.
    """
    zones = sorted({event.crs for event in events}) or ["EPSG:4326"]
    with atomic_path(path) as temporary, _system_errors(path.parent):
        # GDAL adds layers to a file that exists, and an empty one is no GeoPackage.
        temporary.unlink()
        layers = []
        for zone in zones:
            layers.append(LAYER if len(zones) == 1 else f"{LAYER}_{zone.rpartition(':')[2]}")
            _write_layer([e for e in events if e.crs == zone], zone, temporary, layers[-1])
        _add_styles(temporary, layers)


@contextmanager
def _system_errors(folder: Path) -> Iterator[None]:
    """What GDAL and SQLite say when the system refuses to write becomes an OSError."""
    from pyogrio.errors import DataLayerError, DataSourceError

    try:
        with warnings.catch_warnings():
            # Of the same, and that a name should end in .gpkg: the user chose it.
            warnings.simplefilter("ignore", RuntimeWarning)
            yield
    except (DataLayerError, DataSourceError, sqlite3.Error) as error:
        full = "is full" in str(error) or shutil.disk_usage(folder).free < 1 << 20
        code = errno.ENOSPC if full else errno.EIO
        raise OSError(code, " ".join(str(error).split())[:160]) from error


def _write_layer(events: Sequence[Event], crs: str, path: Path, layer: str) -> None:
    import pyogrio

    # One geometry type for the whole layer, as desktop programs expect.
    shapes = [shapely.multipolygons(shapely.get_parts(event.geometry)) for event in events]
    pyogrio.write_arrow(
        events_table(events, shapes),
        path,
        layer=layer,
        driver="GPKG",
        geometry_name=GEOMETRY,
        geometry_type="MultiPolygon",
        crs=crs,
        append=path.exists(),
        SPATIAL_INDEX="YES",
        IDENTIFIER=layer,
        DESCRIPTION="What was built, torn down or dug, and between which two looks",
    )


def _add_styles(path: Path, layers: Sequence[str]) -> None:
    """Embed the style for each layer the way QGIS itself does."""
    style = resources.files("groundbreak.writers").joinpath("events.qml").read_text("utf-8")
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(_STYLES_TABLE)
        # QGIS finds only tables that the contents name.
        database.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, srs_id)"
            " VALUES ('layer_styles', 'attributes', 'layer_styles', 'QGIS styles', 0)"
        )
        database.executemany(
            "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name,"
            " f_geometry_column, styleName, styleQML, styleSLD, useAsDefault, description, owner)"
            " VALUES ('', '', ?, 'geom', ?, ?, '', 1, 'Colours by kind, time slider', '')",
            [(layer, STYLE_NAME, style) for layer in layers],
        )
