"""Which processor computes: decided by running a kernel, not by asking whether one exists."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from groundbreak.errors import ConfigError

log = logging.getLogger(__name__)

DEVICES = ("auto", "cpu", "cuda", "mps")

_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""What the drivers of graphics processors that PyTorch knows leave on Linux."""

_TOPOLOGY = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"


def works(device: str) -> str | None:
    """Run a small convolution on the device.

    Returns:
        None if the result is right, else what went wrong in one line.
    """
    import torch

    try:
        image = torch.ones(1, 1, 8, 8, device=device)
        kernel = torch.ones(1, 1, 3, 3, device=device)
        total = float(torch.nn.functional.conv2d(image, kernel).sum().item())
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        # The first sentence: what PyTorch goes on to say are addresses and advice.
        return str(error).splitlines()[0].split(". ")[0][:200]
    return None if total == 324.0 else f"a convolution gave {total} instead of 324"


def check_device(wanted: str) -> None:
    """Whether there may be such a device.

    Raises:
        ConfigError: the name is none of ``DEVICES`` (``cuda:1`` and the like are allowed).
    """
    if wanted.split(":", maxsplit=1)[0] not in DEVICES:
        raise ConfigError("--device", f"unknown device '{wanted}'", f"use {', '.join(DEVICES)}")


def choose_device(wanted: str = "auto") -> str:
    """The device to compute on.

    Args:
        wanted: ``auto`` takes the first of cuda, mps, cpu that works; a named device that does
            not work falls back to the CPU with one warning.

    Raises:
        ConfigError: see ``check_device``.
    """
    check_device(wanted)
    if surely_cpu(wanted):
        return "cpu"
    import torch

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
        candidates = [wanted]
    for candidate in candidates:
        problem = works(candidate)
        if problem is None:
            return candidate
        log.warning("%s does not work here (%s): computing on the CPU", candidate, problem)
    return "cpu"


def surely_cpu(wanted: str) -> bool:
    """Whether PyTorch need not even be asked: it takes seconds to load."""
    if wanted == "auto":
        return sys.platform == "linux" and not any(Path(path).exists() for path in _DRIVERS)
    return wanted.split(":", maxsplit=1)[0] == "cpu"


def threads() -> int:
    """How many threads this process should keep busy, whatever computes.

    ``OMP_NUM_THREADS``, else the cores that it may use: two threads of one core do not pay.
    """
    told = os.environ.get("OMP_NUM_THREADS", "")
    if told.isdigit() and int(told) > 0:
        return int(told)
    if sys.platform != "linux":
        return os.cpu_count() or 1
    processors = os.sched_getaffinity(0)
    try:
        cores = {Path(_TOPOLOGY.format(number)).read_text() for number in processors}
    except OSError:
        return len(processors)
    return len(cores)


def share_cores(processes: int) -> None:
    """Leave the other processes of a run their part of the cores; call it before any work."""
    count = max(1, threads() // processes)
    os.environ["OMP_NUM_THREADS"] = str(count)
    if "torch" in sys.modules:
        # It has read the variable already.
        sys.modules["torch"].set_num_threads(count)
