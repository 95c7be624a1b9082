"""Several scenes of one pass on one grid become one patch."""

from __future__ import annotations

from collections.abc import Sequence

from groundbreak.types import Patch


def mosaic(patches: Sequence[Patch]) -> Patch:
    """Join patches of one grid: where several are valid, the first one counts.

    Raises:
        ValueError: there is none, or they differ in grid or bands.
    """
    if not patches:
        raise ValueError("nothing to mosaic")
    first = patches[0]
    pixels, valid, saturated = first.pixels.copy(), first.valid.copy(), first.saturated.copy()
    for patch in patches[1:]:
        if patch.geobox != first.geobox or patch.bands != first.bands:
            raise ValueError("patches of different grids or bands cannot be mosaicked")
        new = patch.valid & ~valid
        pixels[:, new] = patch.pixels[:, new]
        saturated[new] = patch.saturated[new]
        valid |= new
    return Patch(first.geobox, first.bands, pixels, valid, saturated)
