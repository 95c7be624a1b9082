"""Whether the trained cloud network (an extra) judges a look, and what it says."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Literal

import numpy as np

from groundbreak.errors import ConfigError
from groundbreak.prepare.acquire import Acquired
from groundbreak.prepare.looks import LookPlan, top_of_atmosphere
from groundbreak.types import BoolArray, Scene
from groundbreak.usable import csmask

COARSEST_GSD_M = 60.0
"""Overviews of large sites are coarser; there the network has not been tried."""

_TRAINED = re.compile(r"sentinel.?2|\bs2[abc]\b|landsat", re.IGNORECASE)


class CloudNetwork(StrEnum):
    """Whether clouds in Sentinel-2 and Landsat looks are also told by ukis-csmask."""

    AUTO = "auto"  # where it is installed
    NEVER = "never"
    REQUIRE = "require"


def settled(choice: CloudNetwork) -> CloudNetwork:
    """The choice without ``auto``: made once, so that all looks and workers are treated alike.

    Raises:
        ConfigError: it is required and not installed.
    """
    if choice is CloudNetwork.AUTO:
        return CloudNetwork.REQUIRE if csmask.installed() else CloudNetwork.NEVER
    if choice is CloudNetwork.REQUIRE and not csmask.installed():
        mend = "pip install 'groundbreak[csmask]', or say auto"
        raise ConfigError("prepare: cloud_network", "ukis-csmask is not installed", mend)
    return choice


def clouds_by_network(plan: LookPlan, look: Acquired, gsd_m: float) -> BoolArray:
    """Cloud and cloud shadow (height, width) where the network was trained for the look.

    Nothing where every scene came with a mask of its own, lacks near infrared, is of a sensor
    the network does not know, or where the pixels are too large.

    Raises:
        InputError: the network is not installed.
    """
    knows = all(_TRAINED.search(" ".join(_sensor(scene))) for scene in plan.scenes)
    enough = set(csmask.NEEDED) <= set(look.bands) and gsd_m <= COARSEST_GSD_M
    if look.masked or not knows or not enough:
        return np.zeros_like(look.valid)
    high = any(top_of_atmosphere(scene) for scene in plan.scenes)
    level: Literal["l1c", "l2a"] = "l1c" if high else "l2a"
    found = csmask.network_clouds(look.pixels, look.valid, look.bands, gsd_m, level)
    return found.cloud | found.shadow


def _sensor(scene: Scene) -> Iterable[str]:
    told = (scene.sensor, *(scene.properties.get(k) for k in ("platform", "constellation")))
    return (str(each) for each in told if each)
