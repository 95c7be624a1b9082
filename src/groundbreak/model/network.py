"""The siamese U-Net: one shared encoder, two dates fused at every scale, one decoder.

Pixels go in as they are read, in [0, 1]: the normalisation is part of the network, so that every
caller (training, detection, an ONNX runtime) does the same.
"""

from __future__ import annotations

import math
from functools import reduce
from typing import Literal

import torch
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
from segmentation_models_pytorch.encoders import get_encoder
from torch import Tensor, nn
from torch.nn import functional as F

from groundbreak.model.shape import CLASSES, CLEAR, SHOWS, SLIP, STRIDE, NetworkConfig


class SiameseUNet(nn.Module):
    """What changed between two dates, a class a pixel.

    Training sees one order of the dates at a time. With ``NetworkConfig.both_orders`` the answer is
    consistent under a swap of them (new and demolition swap) in evaluation mode: fusion and decoder
    run on both orders and are averaged; the encoder runs once a date. Berths are told by the order
    asked for alone: one that was filled in is nothing, so the other order has no say.
    """

    def __init__(self, config: NetworkConfig | None = None) -> None:
        super().__init__()
        self.config = config or NetworkConfig()
        self.encoder = get_encoder(
            self.config.encoder, in_channels=self.config.bands, depth=5, weights=None
        )
        channels = self.encoder.out_channels[1:]
        self.fusions = nn.ModuleList(
            Fusion(before, after) for before, after in zip(channels, self.config.fused, strict=True)
        )
        # The decoder ends at half the input's size; the head's pixel shuffle does the rest,
        # which costs a tenth of a fifth block. The first channel count is that of a skip at full
        # size, which UnetDecoder drops.
        self.decoder = UnetDecoder(
            encoder_channels=(self.config.bands, *self.config.fused),
            decoder_channels=self.config.decoder,
            n_blocks=len(self.config.decoder),
        )
        self.head = nn.Sequential(
            nn.Conv2d(self.config.decoder[-1], self.config.classes * 4, kernel_size=3, padding=1),
            nn.PixelShuffle(2),
        )

    def forward(
        self, before: Tensor, after: Tensor, statistics: tuple[Tensor, Tensor] | None = None
    ) -> Tensor:
        """Logits (n, classes, h, w) of two dates (n, bands, h, w) in [0, 1].

        0 in all bands is no data.

        ``statistics`` are the mean and the standard deviation of the data, each
        (2, bands) for the two dates: those of the whole scene, where the input is a window of
        one, so that the answer does not depend on how the scene is cut. Without them the input
        is its own scene.

        Raises:
            ValueError: shapes differ, or are not what the network takes.
        """
        return self.decode(self.encode(before, after, statistics))

    def encode(
        self, before: Tensor, after: Tensor, statistics: tuple[Tensor, Tensor] | None = None
    ) -> list[Tensor]:
        """Features at strides 2, 4, 8, 16 and 32, of all earlier dates, then of all later ones.

        Arguments as of ``forward``.
        """
        self._check(before, after)
        if statistics is None:
            statistics = measure(before, after)
        before, after = standardise(before, after, statistics, self.config.standardise)
        features: list[Tensor] = self.encoder(torch.cat([before, after]))[1:]
        return features

    def decode(self, features: list[Tensor]) -> Tensor:
        """Logits (n, classes, h, w) of what ``encode`` gave; in evaluation mode those to go by."""
        logits = self.in_order(features)
        if self.training:
            return logits
        if not self.config.both_orders:
            return logits.float()
        return both_orders(logits, self.in_order(features, backwards=True))

    def in_order(self, features: list[Tensor], *, backwards: bool = False) -> Tensor:
        """Logits (n, classes, h, w) of one order of the dates, of what ``encode`` gave."""
        n = features[0].shape[0] // 2
        earlier = [level[:n] for level in features]
        later = [level[n:] for level in features]
        if backwards:
            earlier, later = later, earlier
        fused = [fusion(a, b) for fusion, a, b in zip(self.fusions, earlier, later, strict=True)]
        # In the place of the picture, which the decoder drops.
        return self.head(self.decoder([earlier[0], *fused]))

    def _check(self, before: Tensor, after: Tensor) -> None:
        if before.shape != after.shape:
            raise ValueError(f"expected two dates of one shape, got {before.shape}, {after.shape}")
        if before.ndim != 4 or before.shape[1] != self.config.bands:
            raise ValueError(f"expected (n, {self.config.bands}, h, w), got {tuple(before.shape)}")
        height, width = before.shape[2:]
        if height % STRIDE or width % STRIDE:
            fit = tuple(-(-side // STRIDE) * STRIDE for side in (height, width))
            raise ValueError(f"expected sides in multiples of {STRIDE}: pad to {fit}")


class Fusion(nn.Module):
    """Two dates of one scale into one: a 1 x 1 convolution over both and their distance."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.reduce = nn.Sequential(
            nn.Conv2d(3 * channels, out_channels, kernel_size=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, earlier: Tensor, later: Tensor) -> Tensor:
        """(n, channels, h, w) twice to (n, out_channels, h, w)."""
        return self.reduce(torch.cat([earlier, later, (earlier - later).abs()], dim=1))


def swap_classes(logits: Tensor) -> Tensor:
    """The channels (n, classes, ...) as they would be had the dates been swapped."""
    return logits[:, [0, 2, 1, *range(3, logits.shape[1])]]


def shows_change(logits: Tensor, temperature: float) -> Tensor:
    """Which of some pairs (n,) any pixel calls changed, whatever the kind, by ``SHOWS`` or more.

    At the size that the network sees, so that no pixel averaged from them can say more.
    """
    logits = logits / temperature
    odds = _log_sum(logits, [*range(1, logits.shape[1])]) - logits[:, 0]
    return odds.amax(dim=(1, 2)) >= math.log(SHOWS / (1 - SHOWS))


def both_orders(logits: Tensor, backwards: Tensor) -> Tensor:
    """Logits (n, classes, h, w) of two dates from those of either order, each of that shape.

    All but the slip's are averaged. The slip's keeps the odds against the rest that the true order
    gave it: a difference of like numbers, hence in single precision.
    """
    logits, backwards = logits.float(), backwards.float()
    average = (logits + swap_classes(backwards)) / 2
    rest = [index for index in range(logits.shape[1]) if index != SLIP]
    odds = logits[:, SLIP] - _log_sum(logits, rest)
    slip = odds + _log_sum(average, rest)
    return torch.cat([average[:, :SLIP], slip[:, None], average[:, SLIP + 1 :]], dim=1)


def _log_sum(logits: Tensor, channels: list[int]) -> Tensor:
    # On a CPU torch.logsumexp takes six times as long.
    return reduce(torch.logaddexp, [logits[:, channel] for channel in channels])


def class_probabilities(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """(n, classes, ...) to (n, 4, ...): of none and of each kind.

    Where the odds of new against demolished are clear (``CLEAR``), what the fifth class says
    (``NetworkConfig.other``) is given to the one that they speak for, by their share. Labels that
    say *that* and not *what* taught it, and most of what they mean is building: left aside, it took
    99 % of the new buildings of such cities with it. They add up to 1, less what is left of it.
    """
    logits = logits / temperature
    shares = torch.softmax(logits, dim=1)
    if shares.shape[1] == CLASSES:
        return shares
    none, new, torn, slip, other = shares.unbind(dim=1)
    up = torch.sigmoid(logits[:, 1] - logits[:, 2])
    down = 1 - up
    up, down = (share * (share >= CLEAR) for share in (up, down))
    return torch.stack([none, new + other * up, torn + other * down, slip], dim=1)


def measure(before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (n, 2, bands) of the pixels with data of each date."""
    dates = torch.stack([before.float(), after.float()], dim=1)  # (n, 2, bands, h, w)
    data = (dates.amax(dim=2, keepdim=True) > 0).float()
    count = data.sum(dim=(3, 4)).clamp(min=1)
    mean = (dates * data).sum(dim=(3, 4)) / count
    centred = (dates - mean[..., None, None]) * data
    return mean, torch.sqrt(centred.square().sum(dim=(3, 4)) / count)


def standardise(
    before: Tensor,
    after: Tensor,
    statistics: tuple[Tensor, Tensor],
    by: Literal["pair", "date"],
) -> tuple[Tensor, Tensor]:
    """Zero mean and about unit variance per band over the pixels with data.

    Removes what encodings (8-bit renderings, reflectance), haze and exposure do to a whole
    image: scaling both dates changes nothing. The spread is floored softly by a share of the
    mean, so that calm water is not blown up to full contrast. Pixels without data (0 in every
    band) become 0, the mean.
    """
    mean, spread = statistics
    dates = torch.stack([before.float(), after.float()], dim=1)  # (n, 2, bands, h, w)
    data = (dates.amax(dim=2, keepdim=True) > 0).float()
    variance = spread.square()
    if by == "pair":
        centre = mean.mean(dim=-2, keepdim=True)
        variance = (variance + (mean - centre).square()).mean(dim=-2, keepdim=True)
        mean = centre
    scale = torch.sqrt(variance + (SPREAD_FLOOR * mean).square() + 1e-8)
    result = (dates - mean[..., None, None]) / scale[..., None, None] * data
    return result[:, 0], result[:, 1]


SPREAD_FLOOR = 0.1
"""As a share of the mean; land spreads by 0.3 to 0.6 of its mean, calm water by 0.03."""


def pad_to_stride(image: Tensor) -> tuple[Tensor, tuple[int, int]]:
    """Pad (n, bands, h, w) at the bottom and right by reflection to whole strides.

    Returns:
        the padded image and the (height, width) to crop the answer back to.
    """
    height, width = image.shape[-2:]
    down, right = -height % STRIDE, -width % STRIDE
    mode = "reflect" if down < height and right < width else "replicate"
    return F.pad(image, (0, right, 0, down), mode=mode), (height, width)
