"""From light to digital numbers: lean, blur, sampling, haze, stretch, noise, compression."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from groundbreak.simulate.conditions import Conditions
from groundbreak.types import FloatArray


@dataclass(frozen=True)
class Camera:
    """One date's sensor and processing.

    ``blur`` is the deviation of the point spread in output pixels, ``sharpen`` the strength of
    the edge enhancement afterwards; ``noise`` in digital numbers of 255; ``black``, ``white``
    are the percentiles that the stretch maps to 0 and 255, ``least_white`` the reflectance that
    white is at least, ``gamma`` its exponent; ``cast`` the
    gain per band; ``jpeg`` the quality, None for no compression.
    """

    blur: float
    sharpen: float
    noise: float
    black: float
    white: float
    least_white: float
    gamma: float
    cast: tuple[float, float, float, float]
    jpeg: int | None


def draw_camera(rng: np.random.Generator, gsd_m: float) -> Camera:
    """Draw a sensor of the kind that has this ground size."""
    spread = 0.03 if gsd_m > 5 else 0.05
    return Camera(
        blur=float(rng.uniform(0.2, 0.6)),
        sharpen=float(rng.uniform(0.1, 1.2)) if rng.random() < 0.7 else 0.0,
        noise=float(rng.uniform(0.6, 3.5)),
        black=float(rng.uniform(0.0, 1.0)),
        white=float(rng.uniform(98.5, 99.95)),
        least_white=float(rng.uniform(0.2, 0.46)),
        gamma=float(rng.uniform(0.7, 1.15)),
        cast=tuple(float(g) for g in np.array([0.985, 1.0, 1.05, 1.0]) + rng.normal(0, spread, 4)),  # type: ignore[arg-type]
        jpeg=int(rng.integers(62, 96)) if rng.random() < 0.6 else None,
    )


def expose(
    radiance: FloatArray,
    factor: int,
    shift_px: tuple[float, float],
    camera: Camera,
) -> FloatArray:
    """Sample drawn light on the sensor's pixels.

    Args:
        radiance: (h, w, bands) at ``factor`` drawn pixels per output pixel.
        factor: drawn pixels per output pixel.
        shift_px: how far the content is moved, (dx, dy) in output pixels.
        camera: its blur is applied.

    Returns:
        (h / factor, w / factor, bands).
    """
    h, w, bands = radiance.shape
    out = np.empty((h // factor, w // factor, bands), np.float32)
    sigma = camera.blur
    for band in range(bands):
        boxed = radiance[..., band].reshape(h // factor, factor, w // factor, factor).mean((1, 3))
        blurred = ndimage.gaussian_filter(boxed, sigma, truncate=3.0)
        out[..., band] = ndimage.shift(blurred, (shift_px[1], shift_px[0]), order=1, mode="nearest")
    return out


def veil(light: FloatArray, conditions: Conditions) -> FloatArray:
    """Add the haze: scattered light, bluer than the ground, and a loss of contrast."""
    thick = np.float32(conditions.haze)
    scattered = np.array([0.062, 0.076, 0.098, 0.03], np.float32)[: light.shape[2]]
    through = np.exp(-0.35 * thick)
    return light * through + scattered * (0.1 + 2.0 * thick)


def develop(
    light: FloatArray, camera: Camera, rng: np.random.Generator, clear: FloatArray | None = None
) -> NDArray[np.uint8]:
    """Stretch to 8 bits as image suppliers do, with noise and compression.

    Args:
        light: (h, w, bands).
        camera: stretch, noise, sharpening and compression.
        rng: source of the noise.
        clear: the same without clouds, which the stretch goes by; None for ``light`` itself.

    Returns:
        uint8 (h, w, bands).
    """
    sample = (light if clear is None else clear)[::3, ::3, :3].mean(2)
    low, high = np.percentile(sample, [camera.black, camera.white])
    high = max(float(high), camera.least_white)
    unit = (light - low * 0.85) / max(high - low * 0.85, 0.05)
    unit *= np.array(camera.cast, np.float32)[: light.shape[2]]
    values = np.clip(unit, 0, 1.3) ** np.float32(camera.gamma) * np.float32(235)
    if camera.sharpen:
        for band in range(values.shape[2]):
            smooth = ndimage.gaussian_filter(values[..., band], 1.0, truncate=3.0)
            values[..., band] += np.float32(camera.sharpen) * (values[..., band] - smooth)
    values += rng.standard_normal(values.shape, np.float32) * np.float32(camera.noise)
    pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    if camera.jpeg is not None and pixels.shape[2] == 3:
        pixels = _compress(pixels, camera.jpeg)
    return pixels


def quantise(light: FloatArray, camera: Camera, rng: np.random.Generator) -> NDArray[np.uint16]:
    """Reflectance times 10 000 with noise, as surface-reflectance products store it."""
    sensed = light + rng.standard_normal(light.shape, np.float32) * np.float32(camera.noise / 2550)
    return np.clip(np.rint(sensed * 10_000), 1, 65_535).astype(np.uint16)


def _compress(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    buffer.seek(0)
    return np.asarray(Image.open(buffer).convert("RGB"))
