"""What a look depends on, as digests; and answers that are kept by the digest of their question.

A run that is extended asks the same of most of its scenes and looks as it did before. What costs
time to find out is kept beside the looks, so that only new questions are answered.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from odc.geo.geobox import GeoBox

from groundbreak import __version__
from groundbreak.atomic import write_json
from groundbreak.kept import kept_json
from groundbreak.raster.offsets import baseline_offset
from groundbreak.raster.sidecars import beside
from groundbreak.types import Scene

JUDGEMENT = 5
"""Of the code that judges, aligns and matches scenes and looks: raised when it comes to other
answers within a version."""

log = logging.getLogger(__name__)

WRONG = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What comes of an answer that is not what it should be."""

T = TypeVar("T")


class Known:
    """Answers, as JSON has them, by the digest of all that they depend on.

    Threads may share it.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Take what ``path`` holds, if it is there; without a path nothing is kept."""
        self._path = path
        self._before = (kept_json(path, dict[str, Any]) if path is not None else None) or {}
        self._now: dict[str, Any] = {}

    def of(self, question: list[Any], find: Callable[[], Any], understand: Callable[[Any], T]) -> T:
        """The answer to a question: the one that is known, else that of ``find``.

        Args:
            question: what it is and all that it depends on, as JSON has it.
            find: finds it, as JSON has it; its exceptions are raised, and nothing is kept of them.
            understand: makes something of it, or raises if it is no such answer.
        """
        key = self._key(question)
        if not self.knows(question, understand):
            self._now[key] = find()
        elif key not in self._now:
            self._now[key] = self._before[key]
        return understand(self._now[key])

    def knows(self, question: list[Any], understand: Callable[[Any], T]) -> bool:
        """Whether a question was answered before, with an answer that can be understood.

        Another one counts as not there (a warning), as it does where the whole file is damaged.
        """
        key = self._key(question)
        if key in self._now or key not in self._before:
            return key in self._now
        try:
            understand(self._before[key])
        except WRONG as error:
            log.warning("%s is damaged (%s); an answer is found anew", self._path, error)
            self._before = {name: kept for name, kept in self._before.items() if name != key}
            return False
        return True

    def save(self, *, forget: bool) -> None:
        """Keep the answers.

        Args:
            forget: those that were not asked for since it was made: nobody will ask again.

        Raises:
            OutputError: the file cannot be written.
        """
        answers = self._now if forget else self._before | self._now
        answers = dict(sorted(answers.items()))  # threads ask in any order
        if self._path is not None and answers != self._before:
            write_json(self._path, answers, indent=None)
            self._before = answers

    @staticmethod
    def _key(question: list[Any]) -> str:
        return digest([__version__, JUDGEMENT, question])


def record(kind: Callable[..., T]) -> Callable[[Any], T]:
    """Reads a dataclass of plain fields, and tuples of them, from its fields by name.

    What it returns raises TypeError where a field is missing, unknown, or of another type.
    """
    hints = get_type_hints(kind)

    def read(answer: Any) -> T:
        made = kind(**answer)
        for name, hint in hints.items():
            if not _fits(getattr(made, name), hint):
                raise TypeError(f"{name} is {getattr(made, name)!r}")
        return made

    return read


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value is of a type; of ``tuple[...]`` each of its values is looked at."""
    if get_origin(hint) is tuple:
        first, last = get_args(hint)
        size = len(value) if isinstance(value, tuple) and last is Ellipsis else 2
        inner = [first] * size if last is Ellipsis else [first, last]
        return isinstance(value, tuple) and len(value) == size and all(map(_fits, value, inner))
    # JSON does not tell 1.0 from 1 everywhere.
    return isinstance(value, hint) or (type(value) is int and isinstance(0.0, hint))


def digest(basis: list[Any]) -> str:
    """32 hexadecimal digits of anything that JSON has."""
    return hashlib.sha256(json.dumps(basis, sort_keys=True).encode()).hexdigest()[:32]


def placed(grid: GeoBox) -> list[Any]:
    """A grid."""
    return [list(grid.affine)[:6], list(grid.shape), str(grid.crs)]


def reading(scene: Scene) -> list[Any]:
    """What the catalogue says of how a scene's files are read."""
    offset = baseline_offset(scene)
    assets = [[repr(asset.bands), repr(asset.georef)] for asset in scene.assets]
    masks = [[mask.kind.value, mask.band, repr(mask.georef)] for mask in scene.masks]
    return [assets, masks, offset.dn, offset.band_offsets]


def addresses(scene: Scene) -> list[str]:
    """Of a scene's files; what follows a question mark may be a signature."""
    return [href.split("?", maxsplit=1)[0] for href in hrefs(scene)]


def hrefs(scene: Scene) -> list[str]:
    """Addresses of a scene's pictures and masks."""
    return [asset.href for asset in scene.assets] + [mask.href for mask in scene.masks]


def files(scene: Scene) -> list[list[int]]:
    """Size and time of change of a scene's files: a replaced file is a new one.

    So is one whose world file, mask or overviews were, which lie beside it. Empty for one that is
    not there, or lies on the network.
    """
    found: list[list[int]] = []
    for href in hrefs(scene):
        path = Path(href)
        if "://" in href or not path.is_file():
            found.append([])
            continue
        states = [each.stat() for each in (path, *beside(path)) if each.is_file()]
        found.append([number for s in states for number in (s.st_size, s.st_mtime_ns)])
    return found


def scene_basis(scene: Scene, grid: GeoBox, bands: tuple[str, ...]) -> list[Any]:
    """All that reading bands of a scene onto a grid depends on, corrections left aside."""
    return [addresses(scene), reading(scene), files(scene), placed(grid), list(bands)]
