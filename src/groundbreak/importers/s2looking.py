"""S2Looking: ``train|val|test/{Image1,Image2,label,label1,label2}/*.png``, 1024 px, 0.5 to 0.8 m.

Shen et al. 2021, figure 2: labels 1 and 2 are "newly built and demolished areas of buildings".
The paper does not say which image is the earlier one. Buildings of ``label1`` stand in
``Image1`` and not in ``Image2`` (measured by others on all splits, with LEVIR-CD as a control),
so ``Image2`` is taken as before and ``Image1`` as after; ``--swap-dates`` turns that round, and
with it what ``label1`` and ``label2`` mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from groundbreak.importers.pair import (
    Layout,
    Options,
    SourcePair,
    direction_label,
    find_root,
    partner,
    pictures,
    read_masks,
)
from groundbreak.types import MaskValue

SPLITS = ("train", "val", "test")


def _read(source: Path, options: Options) -> Iterator[SourcePair]:
    marks = [f"{split}/Image1" for split in SPLITS]
    root = find_root(source, marks, "train/{Image1,Image2,label,label1,label2}, val and test alike")
    earlier, later, new, gone = "Image2", "Image1", "label1", "label2"
    if options.swap_dates:  # what stands in the one image only is new or gone accordingly
        earlier, later, new, gone = later, earlier, gone, new
    for split in SPLITS:
        folder = root / split
        if not (folder / "Image1").is_dir():
            continue
        names = (later, "label", "label1", "label2")
        found = {name: pictures(folder / name) for name in names}
        for stem, before in pictures(folder / earlier).items():
            path = {name: partner(found[name], stem, folder / name) for name in names}
            built, razed, changed = read_masks([path[name] for name in (new, gone, "label")])
            label = direction_label(built, razed)
            label[(label == MaskValue.NONE) & changed] = MaskValue.UNKNOWN_DIRECTION
            yield SourcePair(
                split=split,
                scene=f"{split}_{stem}",  # stems are numbers that begin anew in every split
                before=before,
                after=path[later],
                label=label,
                original_name=f"{split}/{stem}.png",
                gsd_m=0.65,
            )


S2LOOKING = Layout(
    "s2looking",
    _read,
    "not stated; research use",
    options=frozenset({"swap_dates"}),
)
