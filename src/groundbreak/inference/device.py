"""Which processor computes: decided by running a kernel, not by asking whether one exists."""

from __future__ import annotations

import logging

import torch

from groundbreak.errors import ConfigError

log = logging.getLogger(__name__)

DEVICES = ("auto", "cpu", "cuda", "mps")


def works(device: str) -> str | None:
    """Run a small convolution on the device.

    Returns:
        None if the result is right, else what went wrong in one line.
    """
    try:
        image = torch.ones(1, 1, 8, 8, device=device)
        kernel = torch.ones(1, 1, 3, 3, device=device)
        total = float(torch.nn.functional.conv2d(image, kernel).sum().item())
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        return str(error).splitlines()[0][:200]
    return None if total == 324.0 else f"a convolution gave {total} instead of 324"


def choose_device(wanted: str = "auto") -> str:
    """The device to compute on.

    Args:
        wanted: ``auto`` takes the first of cuda, mps, cpu that works; a named device that does
            not work falls back to the CPU with one warning.

    Raises:
        ConfigError: the name is none of ``DEVICES`` (``cuda:1`` and the like are allowed).
    """
    base = wanted.split(":", maxsplit=1)[0]
    if base not in DEVICES:
        raise ConfigError("--device", f"unknown device '{wanted}'", f"use {', '.join(DEVICES)}")
    if wanted == "auto":
        candidates = [
            name
            for name, present in (
                ("cuda", torch.cuda.is_available()),
                ("mps", torch.backends.mps.is_available()),
            )
            if present
        ]
    else:
        candidates = [] if base == "cpu" else [wanted]
    for candidate in candidates:
        problem = works(candidate)
        if problem is None:
            return candidate
        log.warning("%s does not work (%s): computing on the CPU", candidate, problem)
    return "cpu"


def cpu_has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 natively, so that mixed precision pays."""
    capability = getattr(torch.backends.cpu, "get_cpu_capability", lambda: "")()
    flags = torch.cpu._is_avx512_bf16_supported
    return "AVX512" in capability and bool(flags())


def threads() -> int:
    """How many threads this process should keep busy: as many as PyTorch would."""
    return torch.get_num_threads()


def share_cores(processes: int) -> None:
    """Leave the other processes of a run their part of the cores; call it before any work.

    All engines take as many threads as PyTorch would.
    """
    torch.set_num_threads(max(1, torch.get_num_threads() // processes))
