"""What the looks of a site are prepared with."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path

from groundbreak.prepare.acquire import Source
from groundbreak.prepare.glances import Basis, Verdict
from groundbreak.prepare.known import Known
from groundbreak.prepare.look import SiteGrid
from groundbreak.prepare.looks import LookPlan
from groundbreak.prepare.network import CloudNetwork, settled
from groundbreak.prepare.store import LOOKS
from groundbreak.types import BoolArray


@dataclass(frozen=True)
class PrepareConfig:
    """What a look must show to take part.

    Attributes:
        min_usable_share: of the site; below, the look is left out.
        zero_is_nodata: take zeros that touch the border of a picture for fill.
        cloud_network: whether ukis-csmask judges Sentinel-2 and Landsat looks without a mask too.
    """

    min_usable_share: float = 0.02
    zero_is_nodata: bool = False
    cloud_network: CloudNetwork = CloudNetwork.AUTO

    def __post_init__(self) -> None:
        if not 0 <= self.min_usable_share <= 1:
            raise ValueError(f"min_usable_share {self.min_usable_share}: expected 0 to 1")

    def settled(self) -> PrepareConfig:
        """With what depends on the installation decided, so that workers need not.

        Raises:
            ConfigError: something is asked for that is not installed.
        """
        return replace(self, cloud_network=settled(self.cloud_network))


@dataclass(frozen=True)
class SiteJob:
    """What ``prepare_site`` works on.

    Attributes:
        grid: of the site.
        inside: (height, width) of the coarse grid, True inside the site's outline.
        source: how scenes are read.
        config: what a look must show.
        folder: of the site: the looks are written to ``looks``, what was judged at a glance is
            kept in ``glances``.
        threads: looks that are worked on at once.
        spoilt: ids of the looks of which what an earlier run prepared is damaged.
    """

    grid: SiteGrid
    inside: BoolArray
    source: Source
    config: PrepareConfig
    folder: Path
    threads: int = 1
    spoilt: frozenset[str] = frozenset()

    @property
    def looks(self) -> Path:
        """Where the looks are written."""
        return self.folder / LOOKS

    @property
    def glances(self) -> Path:
        """Where what was judged at a glance is kept."""
        return self.folder / "glances"


@dataclass(frozen=True)
class Bench:
    """What the looks of a site are worked on with: threads, and answers of earlier runs."""

    pool: Executor
    known: Known
    progress: Callable[[str], None]


@dataclass(frozen=True)
class Judged:
    """A look that takes part; ``place`` is that among all looks that were judged."""

    place: int
    plan: LookPlan
    verdict: Verdict
    basis: Basis
