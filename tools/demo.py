"""Teach FasterViT to segment drawn shapes, then to detect them, and show what it learned.

Segmentation starts from random weights, detection from the backbone that learned to segment.

Example: python tools/demo.py --out work_dirs/demo
"""

import json
import os
import statistics
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
DATA = Path("data/shapes")  # where the configs look for it
PICTURED = 6
# A thread that waits leaves its core to other processes. Waiting in a loop, the default, makes
# every step many times slower where there are others.
THREADS = {"OMP_WAIT_POLICY": "PASSIVE"}
PROGRESS = ("Epoch(train)", "Iter(train)", "Epoch(test)", "Iter(test)")


@dataclass(frozen=True)
class Task:
    """One of the demo's two runs.

    Attributes:
        name: Its folder, and the name of its picture.
        config: Config file.
        metrics: Label in the table and key in the log of each figure.
        target: Key of the figure that shows the run has learned, and the least it must reach.
        teacher: The run before it whose backbone it starts from; None to start from random weights.
    """

    name: str
    config: Path
    metrics: dict[str, str]
    target: tuple[str, float]
    teacher: str | None = None


TASKS = (
    Task(
        "segmentation",
        CONFIGS / "seg/upernet_fastervit-0_shapes-256x256.py",
        {"mIoU": "mIoU"},
        ("mIoU", 0.72),
    ),
    Task(
        "detection",
        CONFIGS / "det/cascade-mask-rcnn_fastervit-0_fpn_shapes.py",
        {
            "bbox mAP": "coco/bbox_mAP",
            "bbox AP50": "coco/bbox_mAP_50",
            "mask mAP": "coco/segm_mAP",
            "mask AP50": "coco/segm_mAP_50",
        },
        ("bbox AP50", 0.60),
        teacher="segmentation",
    ),
)


def say(text: str) -> None:
    print(text, flush=True)


def run_command(name: str, arguments: Sequence, log: Path) -> None:
    """Run a command, all its output in ``log`` and its progress on the screen; exit if it fails."""
    command = [sys.executable, "-m", "mmfastervit", name, *map(str, arguments)]
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("w") as file,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**THREADS, **os.environ},
        ) as process,
    ):
        for line in process.stdout:
            file.write(line)
            if any(mark in line for mark in PROGRESS):
                say("  " + shorten(line))
    if process.returncode:
        say("".join(log.read_text().splitlines(keepends=True)[-30:]))
        sys.exit(f"{name} failed with status {process.returncode}; its whole output: {log}")


def shorten(line: str) -> str:
    """Keep of a log line what shows progress: where it stands, time to go, loss."""
    fields = line.split(" - INFO - ")[-1].split("  ")
    kept = [f.strip() for f in fields if f.strip().startswith(("Epoch", "Iter", "eta:", "loss:"))]
    return "  ".join(kept)


def train_and_test(task: Task, out: Path, seed: int) -> dict[str, float]:
    """Run one task and return its figures, by label, and the median seconds of a training step."""
    say(f"\n{task.name}: training, {task.config.name}")
    folder = out / task.name
    options = [
        "train_cfg.val_interval=1000000",  # the test command evaluates below
        # mmengine's random numbers, which the limits were found with; the demo is not resumed
        "default_hooks.checkpoint.exact_resume=False",
    ]
    if task.teacher:
        start = f"type='Pretrained', checkpoint='{trained(out / task.teacher)}', prefix='backbone.'"
        options.append(f"model.backbone.init_cfg=dict({start})")
    run_command(
        "train",
        (task.config, "--work-dir", folder, "--seed", seed, "--cfg-options", *options),
        folder / "train.txt",
    )
    say(f"{task.name}: evaluation and pictures")
    checkpoint = trained(folder)
    run_command(
        "test",
        (task.config, checkpoint, "--work-dir", folder / "test", "--show-dir", folder / "pictures"),
        folder / "test.txt",
    )
    logged = json.loads(newest(folder / "test", "*/*.json").read_text())
    scale = 0.01 if task.name == "segmentation" else 1.0  # mmseg logs percentages
    figures = {label: scale * logged[key] for label, key in task.metrics.items()}
    return {**figures, "seconds per iteration": seconds_per_iteration(folder)}


def trained(folder: Path) -> Path:
    """The checkpoint that a run ended with."""
    return folder / (folder / "last_checkpoint").read_text().strip()


def newest(folder: Path, pattern: str) -> Path:
    return max(folder.glob(pattern), key=lambda path: path.stat().st_mtime)


def seconds_per_iteration(folder: Path) -> float:
    scalars = newest(folder, "*/vis_data/scalars.json").read_text().splitlines()
    return statistics.median(entry["time"] for entry in map(json.loads, scalars) if "time" in entry)


def contact_sheet(pictures: Path, out: Path, columns: int = 2) -> None:
    """Lay some pictures, each ground truth beside prediction, on one sheet."""
    paths = sorted(p for p in pictures.rglob("*") if p.suffix in (".jpg", ".png"))[:PICTURED]
    tiles = [cv2.resize(cv2.imread(str(path)), (512, 256)) for path in paths]
    framed = [
        cv2.copyMakeBorder(t, 4, 4, 4, 4, cv2.BORDER_CONSTANT, value=(255,) * 3) for t in tiles
    ]
    rows = [np.hstack(framed[i : i + columns]) for i in range(0, len(framed), columns)]
    cv2.imwrite(str(out), np.vstack(rows))


def main() -> None:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("work_dirs/demo"), help="folder to fill")
    parser.add_argument("--seed", type=int, default=0, help="of both trainings (default: 0)")
    args = parser.parse_args()
    out = args.out
    began = time.monotonic()
    say(f"data: {DATA}")
    run_command("shapes", ("--out", DATA), out / "data.txt")
    results = [(task, train_and_test(task, out, args.seed)) for task in TASKS]
    say("\nOn the validation images (left ground truth, right prediction in the pictures):")
    for task, figures in results:
        contact_sheet(out / task.name / "pictures", out / f"{task.name}.png")
        listed = "   ".join(f"{label} {value:.3f}" for label, value in figures.items())
        say(f"  {task.name:<13} {listed}\n  {'':<13} {out / (task.name + '.png')}")
    say(f"  {(time.monotonic() - began) / 60:.1f} minutes in all")
    short = [
        f"{label} {figures[label]:.3f} < {least}"
        for task, figures in results
        for label, least in [task.target]
        if figures[label] < least
    ]
    if short:
        sys.exit(f"not learned as well as expected: {', '.join(short)}")


if __name__ == "__main__":
    main()
