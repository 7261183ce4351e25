"""A rehearsal of a long run: killed again and again, it must end as the undisturbed one.

    python tests/rehearsal.py det --steps 400 --every 60 --folder rehearsal-det

Trains a recipe on drawn shapes twice, at the same time: once undisturbed, and once killed by
SIGKILL at chosen writes and at random moments, ``--kills`` times, and gone on with by ``--resume``.
Prints a line a kill, and at the end whether weights, optimizer and schedule are equal bit for bit.
Exits with 1 if they are not, if anything was lost, or if the run did not go on.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support.lasting import assert_ended_alike  # noqa: E402

from mmfastervit.datasets.shapes import write_dataset  # noqa: E402
from mmfastervit.engine.resuming import newest_whole  # noqa: E402

IMAGES = 16
# Configs, their images a step and what makes the run of a length.
TASKS = {
    "det": ("configs/det/cascade-mask-rcnn_fastervit-0_fpn_shapes.py", 2),
    "seg": ("configs/seg/upernet_fastervit-0_shapes-256x256.py", 4),
}
# Before and after each kind of work of a checkpoint: the file, its move, the pointer, its move, the
# removal of an old file; and what is removed after a better model was found.
CHOSEN = [
    ["path", "write_bytes", 1, True],
    ["path", "write_bytes", 1, False],
    ["os", "replace", 1, True],
    ["os", "replace", 1, False],
    ["path", "write_text", 2, True],
    ["path", "write_text", 2, False],
    ["os", "replace", 3, True],
    ["os", "replace", 4, False],
    ["path", "unlink", 3, True],
    ["path", "unlink", 3, False],
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--folder", type=Path, required=True, help="a new folder for both runs")
    parser.add_argument("--steps", type=int, default=400, help="iterations of the run")
    parser.add_argument("--kills", type=int, default=40, help="the first ten at chosen writes")
    parser.add_argument("--every", type=float, default=60, help="mean seconds between random kills")
    parser.add_argument("--workers", type=int, default=2, help="of the data loader")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True)
    write_dataset(arguments.folder / "data/shapes", train=IMAGES, val=4, size=96, seed=0)
    draw = random.Random(arguments.seed)

    began = time.monotonic()
    whole = start(arguments, "whole")
    lost = 0
    for number in range(arguments.kills):
        before = reached(arguments)
        chosen = CHOSEN[number] if number < len(CHOSEN) else None
        child = start(arguments, "killed", chosen)
        moment = None if chosen else draw.uniform(0.2, 1.8) * arguments.every
        try:
            status = child.wait(moment)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            status = child.wait()
        after = reached(arguments)
        lost += after < before
        where = f"at {chosen}" if chosen else f"after {moment:.0f} s"
        print(
            f"kill {number + 1} {where}: status {status}, iteration {before} -> {after}", flush=True
        )
        if status != -signal.SIGKILL:
            print("the run ended before it was killed; give it more --steps", flush=True)
            break
    status = start(arguments, "killed").wait()
    whole.wait()
    minutes = (time.monotonic() - began) / 60
    print(
        f"ended after {minutes:.0f} minutes, status {status}; kills that lost a checkpoint: {lost}"
    )
    files = [newest_whole([arguments.folder / name]) for name in ("whole", "killed")]
    assert_ended_alike(*files)
    print(f"equal: {', '.join(str(file.relative_to(arguments.folder)) for file in files)}")
    return int(status != 0 or lost > 0)


def start(arguments: argparse.Namespace, name: str, kill: list | None = None) -> subprocess.Popen:
    """Start or go on with a run; its output goes to a file beside its folder."""
    config, batch = TASKS[arguments.task]
    every = IMAGES // batch  # iterations of an epoch
    options = {
        "default_hooks.checkpoint.interval": 1 if arguments.task == "det" else every,
        "default_hooks.checkpoint.max_keep_ckpts": 1,
        "default_hooks.checkpoint.save_best": "auto",
        "train_dataloader.num_workers": arguments.workers,
        "train_dataloader.persistent_workers": arguments.workers > 0,
        "val_dataloader.num_workers": 0,
        "val_dataloader.persistent_workers": False,
    }
    if arguments.task == "det":
        options["train_cfg.max_epochs"] = arguments.steps // every
        options["train_cfg.val_interval"] = 4
    else:
        options["train_cfg.max_iters"] = arguments.steps
        options["train_cfg.val_interval"] = 4 * every
    command = [sys.executable, "-W", "ignore"]
    if kill is not None:
        command += [str(ROOT / "tests/support/killing.py"), json.dumps(kill)]
    command += [str(ROOT / "tools/train.py"), str(ROOT / config), "--work-dir", name, "--seed", "0"]
    command += ["--resume", "--cfg-options", *(f"{key}={value}" for key, value in options.items())]
    environment = dict(os.environ, OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", PYTHONPATH=str(ROOT))
    with open(arguments.folder / f"{name}.log", "a") as log:
        return subprocess.Popen(
            command,
            cwd=arguments.folder,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def reached(arguments: argparse.Namespace) -> int:
    """Iterations of the newest whole checkpoint of the killed run."""
    found: list[str] = []
    newest_whole([arguments.folder / "killed"], found.append)
    return int(found[-1].split()[-2]) if found and found[-1].endswith("iterations") else 0


if __name__ == "__main__":
    sys.exit(main())
