"""Everything groundbreak raises on purpose.

GroundbreakError
├── InputError            the user's input cannot be used: exit code 2
│   ├── SiteError         a watch-list or one of its sites
│   ├── CatalogError      a catalogue, a date, a STAC API
│   │   └── HrefError     an asset address that may not be read
│   ├── RasterError       a raster that cannot be opened or placed
│   │   └── UnreachedError  one that is not there, or cannot be had now
│   ├── WeightsError      weights or their card
│   ├── ConfigError       a configuration key or value
│   ├── DataError         a folder of labelled pairs
│   └── OutputError       a full disk, a read-only folder, a busy run
└── InternalError         our fault: exit code 1
"""

from __future__ import annotations


class GroundbreakError(Exception):
    """Root of the tree; never raised itself."""


class InputError(GroundbreakError):
    """The user's input cannot be used.

    Args:
        subject: the file or field at fault, as the user wrote it.
        problem: what is wrong with it.
        mend: what the user can do about it.
    """

    def __init__(self, subject: str, problem: str, mend: str = "") -> None:
        self.subject = subject
        self.problem = problem
        self.mend = mend
        super().__init__(f"{subject}: {problem}" + (f"; {mend}" if mend else ""))

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        # Exceptions with several arguments do not survive pickling between processes otherwise.
        return type(self), (self.subject, self.problem, self.mend)


class SiteError(InputError):
    """A watch-list or one of its sites."""


class CatalogError(InputError):
    """A catalogue, a date or a STAC API."""


class HrefError(CatalogError):
    """An asset address that may not be read."""


class RasterError(InputError):
    """A raster that cannot be opened or placed on the ground."""


class UnreachedError(RasterError):
    """A raster that is not there or cannot be had now; another time it may be in order."""


class WeightsError(InputError):
    """Weights or their card."""


class ConfigError(InputError):
    """A configuration key or value."""


class DataError(InputError):
    """A folder of labelled pairs."""


class OutputError(InputError):
    """A full disk, a read-only folder, a run that is already being written."""


class InternalError(GroundbreakError):
    """Our fault."""
