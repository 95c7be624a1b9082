"""The machinery of other programs beside ours: one network, one pair of pictures, the same cores.

    python scripts/benchmark_peers.py --envs /somewhere/with/20/GB
    python scripts/benchmark_peers.py --envs ... --size 1024 --only torchgeo

Every program gets an environment of its own in ``--envs``, made with uv from PyPI the first time.
Each runs the shipped weights, exported as TorchScript, over the same two files in a process of its
own, in windows of ``--window`` pixels that share ``--overlap``:

    geoai         its tiled change detection, ``ChangeStarDetection.predict``. Its own weights come
                  from a hub, so the object is made without its constructor and given our network.
    torchgeo      two raster datasets, ``GridGeoSampler``, and ``Trainer.predict`` of Lightning. It
                  has no stitching: patches are left as they are, less work than the others do.
    rastervision  its sliding-window dataset, ``Learner.predict_dataset``, smooth labels.
    groundbreak   all of ``detect``: preparation, the network, events, files; no report.

Seconds count from the end of the imports to the last file written. Those of the clock mean
something on an idle machine only. "Same" is the share of pixels that get the class which our
change map gives them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

CLASSES = ("none", "new_building", "demolition", "docking_slip")

PEERS = {
    "geoai": ("geoai-py",),
    "torchgeo": ("torchgeo", "lightning", "requests"),
    "rastervision": ("rastervision_core", "rastervision_pytorch_learner"),
}
"""What is installed for each, beside the PyTorch that we use."""

NORM = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and spread by which geoai normalises what it gives to a network."""

Result = np.ndarray[Any, np.dtype[Any]]


def main() -> None:
    options = parse()
    if options.inside:
        print(json.dumps(inside(options)), flush=True)
        return
    with tempfile.TemporaryDirectory(prefix="groundbreak-", dir=options.folder) as name:
        folder = Path(name)
        make_pair(folder, options)
        rows = {"groundbreak": run(sys.executable, "groundbreak", folder, options)}
        for peer in options.only or PEERS:
            python, problem = environment(peer, options.envs)
            rows[peer] = {"problem": problem} if problem else run(python, peer, folder, options)
        print(table(rows, folder, options))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--envs", type=Path, default=Path("peers"), help="where they are installed")
    parser.add_argument("--only", nargs="+", choices=PEERS)
    parser.add_argument("--size", type=int, default=2048, help="side of the pictures in pixels")
    parser.add_argument("--window", type=int, default=512)
    parser.add_argument("--overlap", type=int, default=64)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--engine", default="auto", help="of groundbreak")
    parser.add_argument("--weights", default="site-2m", help="shipped name or file")
    parser.add_argument("--folder", type=Path, help="where the pair is made, and removed again")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    return parser.parse_args()


def make_pair(folder: Path, options: argparse.Namespace) -> None:
    """Two dates, and the network with the statistics of this pair."""
    import torch

    from benchmark_memory import make_series
    from groundbreak.model.weights import load_weights
    from groundbreak.raster.read import read_picture

    make_series(folder, options.size, 2, changing=1.0)
    dates = [read_picture(path)[0] / np.float32(255) for path in files(folder)]
    mean, spread = (
        torch.from_numpy(np.stack([kind(date, axis=(1, 2)) for date in dates]).astype(np.float32))
        for kind in (np.mean, np.std)
    )
    network = load_weights(options.weights).network.eval()

    class Pair(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.network(image[:, :3], image[:, 3:], (mean, spread))
            return logits

    example = torch.rand(options.batch, 6, options.window, options.window)
    with torch.inference_mode():
        torch.jit.trace(Pair().eval(), example).save(str(folder / "network.pt"))  # type: ignore[no-untyped-call]


def files(folder: Path) -> list[Path]:
    return sorted((folder / "scenes").glob("*.tif"))


def environment(peer: str, envs: Path) -> tuple[str, str]:
    """Its Python, or why there is none."""
    import torch
    import torchvision

    python = envs.absolute() / peer / "bin" / "python"
    if (envs / peer / "installed").is_file():
        return str(python), ""
    pins = [
        f"{library.__name__}=={library.__version__.split('+')[0]}"
        for library in (torch, torchvision)
    ]
    for words in (
        ["uv", "venv", "--allow-existing", "--python", sys.executable, str(envs / peer)],
        ["uv", "pip", "install", "--python", str(python), *PEERS[peer], *pins],
    ):
        done = subprocess.run(
            words, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if done.returncode:
            return "", "cannot be installed: " + done.stdout.strip().splitlines()[-1]
    (envs / peer / "installed").touch()
    return str(python), ""


def run(python: str, who: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    words = [python, __file__, "--inside", who, "--folder", str(folder)]
    for name in ("window", "overlap", "batch", "threads", "engine", "weights"):
        words += [f"--{name}", str(getattr(options, name))]
    threads = {"OMP_NUM_THREADS": str(options.threads), "OPENBLAS_NUM_THREADS": "1"}
    began = time.time()
    done = subprocess.run(
        words, check=False, capture_output=True, text=True, env=os.environ | threads
    )
    if done.returncode:
        return {"problem": "failed: " + done.stderr.strip().splitlines()[-1]}
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return {**figures, "whole_s": time.time() - began}


def inside(options: argparse.Namespace) -> dict[str, Any]:
    """Do the work here; the classes of all pixels go to a file."""
    work = WORK[options.inside](options)
    wall, cpu = time.perf_counter(), time.process_time()
    classes = work()
    seconds = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    np.save(options.folder / f"{options.inside}.npy", classes.astype(np.uint8))
    return seconds


def groundbreak(options: argparse.Namespace) -> Callable[[], Result]:
    from groundbreak.config import DetectConfig
    from groundbreak.pipeline.run import RunRequest, run_detect
    from groundbreak.raster.read import read_picture

    folder = options.folder
    request = RunRequest(
        sites=folder / "sites.geojson",
        catalog=folder / "scenes",
        run=folder / "run",
        settings=DetectConfig().settings(),
        weights=options.weights,
        device="cpu",
        engine=options.engine,
    )

    def work() -> Result:
        run_detect(request)
        [change] = (folder / "run" / "work").glob("*/pairs/*")
        bands = sorted(change.glob("rows_*.tif"), key=lambda path: int(path.stem[5:]))
        kinds = np.concatenate([read_picture(path)[0] for path in bands], axis=1) / 10000
        odds = np.concatenate([1 - kinds.sum(axis=0, keepdims=True), kinds])
        return np.asarray(odds.argmax(axis=0))

    return work


def geoai(options: argparse.Namespace) -> Callable[[], Result]:
    import torch
    from rasterio import open as opened

    compose, tensor = import_module("albumentations"), import_module("albumentations.pytorch")
    room = import_module("geoai.change_detection")
    network = torch.jit.load(options.folder / "network.pt")  # type: ignore[no-untyped-call]
    mean, spread = (torch.tensor(values * 2)[:, None, None] for values in NORM)

    class Wrapped(torch.nn.Module):
        """Answers as ChangeStar does; its two maps of buildings are our new and gone."""

        def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
            odds = torch.softmax(network(image.reshape(1, 6, *image.shape[-2:]) * spread + mean), 1)
            return {
                "change_prediction": 1 - odds[:, :1],
                "t1_semantic_prediction": odds,
                "t2_semantic_prediction": odds,
            }

    detector = object.__new__(room.ChangeStarDetection)
    detector.model, detector._device = Wrapped().eval(), torch.device("cpu")
    detector._preprocess = compose.Compose(
        [compose.Normalize(), tensor.ToTensorV2()], additional_targets={"image2": "image"}
    )
    before, after = map(str, files(options.folder))
    out = options.folder / "geoai.tif"

    def work() -> Result:
        detector.predict(
            before,
            after,
            output_t1_semantic=str(out),
            tile_size=options.window,
            overlap=options.overlap,
        )
        with opened(out) as dataset:
            return np.asarray(dataset.read(1))

    return work


def torchgeo(options: argparse.Namespace) -> Callable[[], Result]:
    import torch
    from lightning import LightningModule, Trainer
    from torch.utils.data import DataLoader

    sets, samplers = import_module("torchgeo.datasets"), import_module("torchgeo.samplers")
    network = torch.jit.load(options.folder / "network.pt")  # type: ignore[no-untyped-call]

    class Task(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def predict_step(self, batch: dict[str, Any], _index: int) -> torch.Tensor:
            classes: torch.Tensor = self.network(batch["image"] / 255).argmax(1).to(torch.uint8)
            return classes

    before, after = files(options.folder)

    def work() -> Result:
        pair = sets.RasterDataset(str(before)) & sets.RasterDataset(str(after))
        stride = options.window - options.overlap
        sampler = samplers.GridGeoSampler(pair, size=options.window, stride=stride)
        loader = DataLoader(pair, options.batch, sampler=sampler, collate_fn=sets.stack_samples)
        trainer = Trainer(
            accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
        )
        patches = np.concatenate([np.asarray(p) for p in trainer.predict(Task(), loader) or ()])
        np.save(options.folder / "torchgeo-patches.npy", patches)
        return np.zeros((0, 0))

    return work


def rastervision(options: argparse.Namespace) -> Callable[[], Result]:
    import torch

    data = import_module("rastervision.core.data")
    learning = import_module("rastervision.pytorch_learner")
    network = torch.jit.load(options.folder / "network.pt")  # type: ignore[no-untyped-call]
    classes = data.ClassConfig(names=list(CLASSES), null_class=CLASSES[0])
    settings = learning.SemanticSegmentationLearnerConfig(
        data=learning.SemanticSegmentationGeoDataConfig(class_config=classes, num_workers=0),
        solver=learning.SolverConfig(batch_sz=options.batch),
    )
    learner = learning.SemanticSegmentationLearner(
        settings, output_dir=str(options.folder / "rv"), model=network, training=False
    )

    def work() -> Result:
        dates = [data.RasterioSource(str(path)) for path in files(options.folder)]
        both = data.MultiRasterSource(dates, primary_source_idx=0)
        scene = data.Scene(id="pair", raster_source=both)
        windows = learning.SemanticSegmentationSlidingWindowGeoDataset(
            scene, size=options.window, stride=options.window - options.overlap
        )
        answers = learner.predict_dataset(windows, raw_out=True, numpy_out=True, progress_bar=False)
        labels = data.SemanticSegmentationLabels.from_predictions(
            windows.windows,
            answers,
            smooth=True,
            extent=scene.extent,
            num_classes=len(classes),
        )
        labels.save(
            str(options.folder / "rv-labels"),
            crs_transformer=both.crs_transformer,
            class_config=classes,
        )
        return np.asarray(labels.get_label_arr(scene.extent))

    return work


WORK = {
    "groundbreak": groundbreak,
    "geoai": geoai,
    "torchgeo": torchgeo,
    "rastervision": rastervision,
}


def table(rows: dict[str, dict[str, Any]], folder: Path, options: argparse.Namespace) -> str:
    ours = np.load(folder / "groundbreak.npy")
    pixels = options.size**2 / 1e6
    about = (
        f"{options.size} x {options.size} px, {options.threads} threads, windows of "
        f"{options.window} px, {options.weights}, load {os.getloadavg()[0]:.1f}"
    )
    lines = [
        about,
        "| program | clock s | processor s | megapixels/s | from the start s | same |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for who, row in rows.items():
        if "problem" in row:
            lines.append(f"| {who} | {row['problem']} | | | | |")
            continue
        classes = np.load(folder / f"{who}.npy")
        same = f"{(classes == ours).mean():.4f}" if classes.size else "not stitched"
        figures = [f"{row[name]:.1f}" for name in ("wall_s", "cpu_s")]
        figures += [f"{pixels / row['wall_s']:.2f}", f"{row['whole_s']:.1f}", same]
        lines.append(f"| {' | '.join([who, *figures])} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
