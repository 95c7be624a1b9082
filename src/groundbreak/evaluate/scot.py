"""SCOT, the metric of SpaceNet 7: footprints tracked through a stack of frames.

Source: Van Etten et al. 2021, "The Multi-Temporal Urban Development SpaceNet Dataset", and its
reference code (CosmiQ/solaris, ``solaris/eval/scot.py``). The reference scores appearances only;
``disappearances`` counts demolitions as well, by the same rule read backwards in time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shapely.geometry.base import BaseGeometry
from shapely.strtree import STRtree

from groundbreak.evaluate.match import match
from groundbreak.events.geometry import iou

Frame = Mapping[str, BaseGeometry]
"""The footprints of one timestep by id; an id stays with its building."""


@dataclass(frozen=True)
class Scot:
    """Counts and scores of one stack: tracking, change, and both combined."""

    matched: int
    invented: int
    missed: int
    mismatches: int
    change_matched: int
    change_invented: int
    change_missed: int
    track: float
    change: float
    score: float


def scot(
    truth: Sequence[Frame],
    said: Sequence[Frame],
    *,
    disappearances: bool = False,
    threshold: float = 0.25,
    beta: float = 2.0,
) -> Scot:
    """Score the frames of one site.

    Args:
        truth: true footprints at every timestep of the truth.
        said: predicted footprints at the same timesteps. As in the reference, timesteps that
            only the prediction has are not looked at.
        disappearances: count buildings that vanish as change too.
        threshold: a match needs an IoU above it.
        beta: weight of tracking against change; the reference's 2.

    Returns:
        The scores. As in the reference they are 0, not undefined, where nothing is there.

    Raises:
        ValueError: the two stacks differ in length.
    """
    if len(truth) != len(said):
        raise ValueError(f"{len(truth)} true frames, {len(said)} predicted ones")
    matches = [_match_frame(t, s, threshold) for t, s in zip(truth, said, strict=True)]
    matched = sum(map(len, matches))
    invented = sum(map(len, said)) - matched
    missed = sum(map(len, truth)) - matched
    mismatches = _mismatches(matches)
    change = _appearances(truth, said, matches)
    if disappearances:
        backwards = _appearances(truth[::-1], said[::-1], matches[::-1])
        change = (
            change[0] + backwards[0],
            change[1] + backwards[1],
            change[2] + backwards[2],
        )
    track_score = _f1(matched - mismatches, invented + mismatches, missed + mismatches)
    change_score = _f1(*change)
    weighted = beta * beta * change_score + track_score
    both = (1 + beta * beta) * change_score * track_score / weighted if weighted > 0 else 0.0
    return Scot(matched, invented, missed, mismatches, *change, track_score, change_score, both)


def _match_frame(truth: Frame, said: Frame, threshold: float) -> list[tuple[str, str]]:
    true_ids, said_ids = sorted(truth), sorted(said)
    tree = STRtree([said[name] for name in said_ids])
    candidates = []
    for i, name in enumerate(true_ids):
        for j in tree.query(truth[name], predicate="intersects"):
            overlap = iou(truth[name], said[said_ids[j]])
            if overlap > threshold:
                candidates.append((i, int(j), overlap))
    return [(true_ids[i], said_ids[j]) for i, j, _ in match(candidates)]


def _mismatches(matches: Sequence[Sequence[tuple[str, str]]]) -> int:
    """Matches in which either side was last matched to somebody else."""
    partner_of_truth: dict[str, str] = {}
    partner_of_said: dict[str, str] = {}
    count = 0
    for frame in matches:
        for true, other in frame:
            changed = partner_of_truth.get(true, other) != other
            count += changed or partner_of_said.get(other, true) != true
        for true, other in frame:
            partner_of_truth[true] = other
            partner_of_said[other] = true
    return count


def _appearances(
    truth: Sequence[Frame], said: Sequence[Frame], matches: Sequence[Sequence[tuple[str, str]]]
) -> tuple[int, int, int]:
    """Right, invented and missed first appearances; what the first frame shows is not new."""
    seen_true: set[str] = set()
    seen_said: set[str] = set()
    right = invented = missed = 0
    for index, frame in enumerate(matches):
        if index > 0:
            both = sum(t not in seen_true and s not in seen_said for t, s in frame)
            right += both
            missed += len(set(truth[index]) - seen_true) - both
            invented += len(set(said[index]) - seen_said) - both
        seen_true |= set(truth[index])
        seen_said |= set(said[index])
    return right, invented, missed


def _f1(right: int, invented: int, missed: int) -> float:
    together = right + (invented + missed) / 2
    return right / together if together > 0 else 0.0
