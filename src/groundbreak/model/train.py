"""Lightning's view of the network: loss, schedule, averaged weights, validation scores."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from groundbreak.errors import WeightsError
from groundbreak.labels import pixel_label
from groundbreak.model.card import DataUse
from groundbreak.model.losses import LossWeights, change_loss
from groundbreak.model.network import SiameseUNet, class_probabilities
from groundbreak.model.pretrained import load_encoder, load_matching
from groundbreak.model.scores import confusion, summary
from groundbreak.model.shape import NetworkConfig
from groundbreak.model.weights import read_card


def seen_before(weights: str | None) -> tuple[DataUse, ...]:
    """What the weights that a training starts from were trained on, as far as their card says."""
    try:
        return () if weights is None else read_card(weights).data
    except WeightsError:
        return ()


class ChangeTraining(LightningModule):
    """Train a ``SiameseUNet``.

    The learning rate warms up, stays, and falls to zero in the last ``decay_share`` of the steps:
    a run that stays can be ended at any time by resuming it with fewer steps to go. What is
    validated and exported is the exponential average of the weights.

    Args:
        network: its shape.
        loss: what is added up.
        encoder_weights: ``imagenet`` (see docs/training.md), or none.
        start_from: a weights file to start from (safetensors); its encoder wins.
        learning_rate: at its highest.
        weight_decay: of AdamW.
        warmup_steps: from zero to the highest rate.
        decay_share: share of all steps in which the rate falls to zero.
        average: decay of the average of the weights, a step.
        frozen: how many of the encoder's first blocks (of MobileNetV2) stay as they are; their
            features are general, and they are the most expensive to train.
    """

    def __init__(
        self,
        network: NetworkConfig | None = None,
        loss: LossWeights | None = None,
        encoder_weights: str | None = "imagenet",
        start_from: str | None = None,
        learning_rate: float = 8e-4,
        weight_decay: float = 0.02,
        warmup_steps: int = 100,
        decay_share: float = 0.25,
        average: float = 0.99,
        frozen: int = 0,
    ) -> None:
        super().__init__()
        self.network = SiameseUNet(network)
        if start_from is not None:
            load_matching(self.network, start_from)
        elif encoder_weights is not None:
            load_encoder(self.network, encoder_weights)
        self.lineage = seen_before(start_from)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = AveragedModel(
            self.network, multi_avg_fn=get_ema_multi_avg_fn(average), use_buffers=True
        ).requires_grad_(requires_grad=False)
        self.frozen = frozen
        for block in self._frozen_blocks():
            block.requires_grad_(requires_grad=False)
        self.loss = loss or LossWeights()
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.warmup_steps, self.decay_share = warmup_steps, decay_share
        self.matrices: dict[str, NDArray[np.int64]] = {}

    def forward(
        self, before: Tensor, after: Tensor, statistics: tuple[Tensor, Tensor] | None = None
    ) -> Tensor:
        """Logits of the averaged network; arguments as of ``SiameseUNet.forward``."""
        return self.averaged(before, after, statistics)

    @property
    def averaged_network(self) -> SiameseUNet:
        """The network with averaged weights."""
        network = self.averaged.module
        if not isinstance(network, SiameseUNet):
            raise TypeError(f"expected a SiameseUNet, got {type(network)}")
        return network

    def training_step(self, batch: dict[str, Any], index: int) -> Tensor:
        """Loss of one batch."""
        before, after = (
            batch[name].contiguous(memory_format=torch.channels_last)
            for name in ("before", "after")
        )
        loss = change_loss(self.network(before, after), batch["label"], self.loss)
        self.log("train/loss", loss, prog_bar=True, on_step=True)
        return loss

    def on_train_epoch_start(self) -> None:
        """Frozen blocks keep their batch statistics too."""
        self.network.train()
        for block in self._frozen_blocks():
            block.eval()

    def _frozen_blocks(self) -> list[torch.nn.Module]:
        return list(self.network.encoder.features[: self.frozen]) if self.frozen else []

    def on_train_batch_end(self, outputs: Any, batch: Any, index: int) -> None:
        """Follow the weights."""
        self.averaged.update_parameters(self.network)

    def on_validation_epoch_start(self) -> None:
        """Count from nothing."""
        self.averaged.eval()
        self.matrices = defaultdict(lambda: np.zeros((5, 4), np.int64))

    def validation_step(self, batch: dict[str, Any], index: int) -> None:
        """Count the pixels of one window."""
        statistics = (batch["mean"], batch["spread"])
        logits = self(batch["before"], batch["after"], statistics).float()
        height, width = batch["label"].shape[1:]
        logits = torch.nn.functional.avg_pool2d(logits, int(batch["zoom"][0]))
        probability = class_probabilities(logits[:, :, :height, :width]).cpu().numpy()
        for name, said, label in zip(batch["set"], probability, batch["label"], strict=True):
            self.matrices[name] += confusion(pixel_label(said), label.cpu().numpy())

    def on_validation_epoch_end(self) -> None:
        """Log the scores of every set, and one score to choose by: their mean over the sets."""
        means = []
        for name, matrix in sorted(self._of_all_processes(self.matrices).items()):
            scores = summary(matrix)
            for key, score in scores.items():
                self.log(f"val/{name}/{key}", score)
            judged = [scores[key] for key in scores if key != "wrong_direction"]
            means.append(sum(judged) / len(judged) if judged else 0.0)
        self.log("val/score", sum(means) / max(1, len(means)), prog_bar=True)

    def _of_all_processes(
        self, matrices: dict[str, NDArray[np.int64]]
    ) -> dict[str, NDArray[np.int64]]:
        """The sum over the processes of a distributed run, the same in each of them."""
        world = self.trainer.world_size
        if world == 1:
            return matrices
        parts: list[dict[str, NDArray[np.int64]]] = [{}] * world
        torch.distributed.all_gather_object(parts, dict(matrices))
        names = {name for part in parts for name in part}
        nothing = np.zeros((5, 4), np.int64)
        return {name: sum((p.get(name, nothing) for p in parts), nothing) for name in names}

    def test_step(self, batch: dict[str, Any], index: int) -> None:
        """As in validation."""
        self.validation_step(batch, index)

    def on_test_epoch_start(self) -> None:
        """As in validation."""
        self.on_validation_epoch_start()

    def on_test_epoch_end(self) -> None:
        """As in validation."""
        self.on_validation_epoch_end()

    def configure_optimizers(self) -> Any:
        """AdamW, with the schedule of the class."""
        optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _rate(self, step: int) -> float:
        total = self.trainer.estimated_stepping_batches
        to_go = (total - step) / max(1.0, self.decay_share * total)
        return max(0.0, min(1.0, (step + 1) / max(1, self.warmup_steps), to_go))
