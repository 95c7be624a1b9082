"""The end of training: the best weights, calibrated, with their card."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from groundbreak.labels import PIXEL_THRESHOLD
from groundbreak.model.calibrate import (
    Answer,
    answer,
    choose_pixel_threshold,
    choose_points,
    expected_calibration_error,
    fit_temperature,
    pixel_matrix,
)
from groundbreak.model.card import Card, DataUse
from groundbreak.model.data import FolderSource, PairsData, ValidationWindows, select
from groundbreak.model.network import SiameseUNet
from groundbreak.model.scores import summary
from groundbreak.model.train import ChangeTraining
from groundbreak.model.weights import load_weights, save_weights

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CardConfig:
    """What only people know about the weights; see ``Card`` for the fields.

    Attributes:
        name: of the weights.
        description: one sentence.
        gsd_m: least and most pixel size in metres.
        finest_gsd_m: images of smaller pixels are averaged to this first.
        optional_bands: bands that may be missing.
        encodings: of the imagery.
        licence: of the weights.
        limits: what they are not good for.
        caution: a sentence that goes with the buildings they find.
        false_per_km2: limit that the operating point is chosen for.
        extra_data: what else shaped the weights, such as those of the encoder it started from.
    """

    name: str
    description: str
    gsd_m: tuple[float, float]
    finest_gsd_m: float = 0.0
    optional_bands: tuple[str, ...] = ()
    encodings: tuple[str, ...] = ()
    licence: str = ""
    limits: str = ""
    caution: str = ""
    false_per_km2: float = 0.1
    extra_data: tuple[DataUse, ...] = ()


class WriteWeights(Callback):
    """Write the averaged weights whenever validation is better than ever; calibrate at the end.

    Args:
        folder: where ``NAME.safetensors`` and ``NAME.json`` go.
        card: what only people know.
    """

    def __init__(self, folder: Path, card: CardConfig) -> None:
        self.card = card
        self.path = folder / f"{card.name}.safetensors"
        self.best = -np.inf

    def state_dict(self) -> dict[str, Any]:
        """The best score, so that a resumed run does not overwrite better weights."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """See ``state_dict``."""
        self.best = state_dict["best"]

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the best of a fit; ``train validate`` only tells."""
        score = float(trainer.callback_metrics.get("val/score", -np.inf))
        if trainer.state.fn != TrainerFn.FITTING or trainer.sanity_checking:
            return
        if not trainer.is_global_zero or score <= self.best:
            return
        self.best = score
        if not isinstance(pl_module, ChangeTraining):
            raise TypeError(f"expected ChangeTraining, got {type(pl_module)}")
        network = pl_module.averaged_network
        card = draft(self.card, network, _data(trainer), pl_module.lineage)
        save_weights(network, card, self.path)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Calibrate the best, if there was any: a file of an earlier run is not of this one."""
        if not trainer.is_global_zero:
            return
        if self.best > -np.inf and self.path.is_file():
            lineage = pl_module.lineage if isinstance(pl_module, ChangeTraining) else ()
            finish(self.path, self.card, _data(trainer), lineage)
        else:
            log.warning("validation never took place: no weights were written")


def draft(
    config: CardConfig, network: SiameseUNet, data: PairsData, lineage: Sequence[DataUse] = ()
) -> Card:
    """The card before calibration; ``lineage`` is the data of the weights that it started from."""
    used = data_uses(data.train, data.val)
    return Card(
        name=config.name,
        description=config.description,
        bands=data.bands,
        optional_bands=config.optional_bands,
        gsd_m=config.gsd_m,
        finest_gsd_m=config.finest_gsd_m,
        upsample=data.zoom,
        upsample_from_gsd_m=data.zoom_from_gsd_m,
        network=network.config,
        encodings=config.encodings,
        data=with_lineage((*used, *config.extra_data), lineage),
        licence=config.licence,
        limits=config.limits,
        caution=config.caution,
        revision=git_revision(),
    )


def finish(
    path: Path, config: CardConfig, data: PairsData, lineage: Sequence[DataUse] = ()
) -> Card:
    """Fit temperature and operating points on validation, measure, and write the card again."""
    model = load_weights(path)
    answers = _answers(model.network, data.val_windows())
    temperature = fit_temperature(answers)
    pixel_threshold = choose_pixel_threshold(answers, temperature)
    points = choose_points(answers, temperature, config.false_per_km2)
    draft_card = draft(config, model.network, data, lineage)
    metrics: dict[str, Any] = {"val": measure(answers, temperature, pixel_threshold)}
    if "nir" in config.optional_bands and "nir" in data.bands:
        without = _answers(model.network, data.val_windows(drop_nir=True))
        metrics["val_without_nir"] = measure(without, temperature, pixel_threshold)
    metrics["operating_point"] = {
        str(kind): {"recall": point.recall, "false_per_km2": point.false_per_km2}
        for kind, point in points.items()
    }
    card = replace(
        draft_card,
        temperature=round(temperature, 4),
        pixel_threshold=pixel_threshold,
        thresholds={**draft_card.thresholds, **{k: p.threshold for k, p in points.items()}},
        min_area_m2={**draft_card.min_area_m2, **{k: p.min_area_m2 for k, p in points.items()}},
        metrics=metrics,
    )
    return save_weights(model.network, card, path)


def _answers(network: SiameseUNet, windows: ValidationWindows) -> list[Answer]:
    return answer(network, (windows[i] for i in range(len(windows))))


def measure(
    answers: Sequence[Answer], temperature: float, pixel_threshold: float = PIXEL_THRESHOLD
) -> dict[str, dict[str, float]]:
    """Pixel scores and calibration of every data set."""
    figures = {}
    for name in sorted({item.set for item in answers}):
        items = [item for item in answers if item.set == name]
        scores = summary(pixel_matrix(items, temperature, pixel_threshold))
        scores["ece"] = expected_calibration_error(items, temperature)
        figures[name] = {key: round(score, 4) for key, score in scores.items()}
    return figures


def data_uses(train: Sequence[FolderSource], val: Sequence[FolderSource]) -> tuple[DataUse, ...]:
    """One entry for each set, split and part that it plays; a scene counts once."""
    scenes: dict[tuple[str, str, str], dict[Path, str]] = {}
    for part, sources in (("training", train), ("validation", val)):
        for source in sources:
            for record in select(source):
                key = (record.set, record.split, part)
                scenes.setdefault(key, {})[record.before] = record.licence
    return tuple(
        DataUse(name, split, len(licences), next(iter(licences.values())), part)
        for (name, split, part), licences in scenes.items()
    )


def with_lineage(uses: Sequence[DataUse], lineage: Sequence[DataUse]) -> tuple[DataUse, ...]:
    """What was used, then what else the weights have seen before that they started from."""
    known = {(use.name, use.split, part) for use in uses for part in (use.part, "")}
    return (*uses, *(use for use in lineage if (use.name, use.split, use.part) not in known))


def _data(trainer: Trainer) -> PairsData:
    data: PairsData = trainer.datamodule  # type: ignore[attr-defined]
    return data


def git_revision() -> str | None:
    """The revision of the source tree, None outside one."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
