"""What `mmfastervit infer` adds to the time of the model's forward pass, and whether memory grows.

Not a test: it takes minutes and tells times. Pictures of 640x480 are made, saved as JPEG, and gone
over in rounds. In each, some go through the model alone, as tensors that are there already, and
then the same through all that `infer` does: reading, decoding, resizing, predicting, drawing,
writing. Weights are random; the detector's are set so that it finds twenty objects with masks on
each picture. Processor time is of all threads of the process: on a machine that is busy with
other work it tells what wall time does not.

    PYTHONPATH=tests python tests/infer_overhead.py det --pictures 200
"""

import os
import statistics
import time
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import psutil
import torch
from mmengine.config import Config
from PIL import Image

from mmfastervit.config.finding import find_config
from mmfastervit.inference import Predictor, open_model, read_picture
from mmfastervit.inference.inputs import find_inputs, items
from mmfastervit.inference.outputs import Outputs
from mmfastervit.inference.predicting import Ready, collated
from mmfastervit.inference.running import run

RECIPES = {
    "det": "mmfastervit::det/mask-rcnn_fastervit-0_fpn_1x_coco.py",
    "seg": "mmfastervit::seg/upernet_fastervit-0_8xb2-160k_ade20k-512x512.py",
}
SIZE = (640, 480)


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=RECIPES)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--round", type=int, default=10, help="pictures of a round")
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--scale", type=int, nargs=2, metavar=("W", "H"), help="other than the recipe's"
    )
    arguments = parser.parse_args()
    cfg = Config.fromfile(find_config(RECIPES[arguments.task]))
    if arguments.task == "det":
        cfg.model.test_cfg.rcnn.max_per_img = 20
    if arguments.scale:
        for step in cfg.test_dataloader.dataset.pipeline:
            if step.type == "Resize":
                step.scale = tuple(arguments.scale)
    torch.manual_seed(0)
    predictor = Predictor(open_model(cfg, None, arguments.device), score_thr=0.05)
    if arguments.task == "det":
        with torch.no_grad():
            predictor.opened.model.roi_head.bbox_head.fc_cls.weight.mul_(30)
    print(f"{RECIPES[arguments.task]}, {torch.get_num_threads()} threads", flush=True)
    with TemporaryDirectory() as folder:
        paths = make_pictures(Path(folder), arguments.pictures)
        rounds = [paths[i : i + arguments.round] for i in range(0, len(paths), arguments.round)]
        measure(predictor, rounds, Path(folder, "out"))


def make_pictures(folder: Path, count: int) -> list[Path]:
    """Pictures with structure, so that JPEG has as much to do as with photos."""
    random = np.random.default_rng(0)
    paths = []
    for number in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (30, 40, 3), dtype=np.uint8))
        picture = np.asarray(coarse.resize(SIZE, Image.Resampling.BICUBIC)).astype(int)
        noisy = (picture + random.integers(-12, 12, picture.shape)).clip(0, 255).astype(np.uint8)
        paths.append(folder / f"{number:04d}.jpg")
        Image.fromarray(noisy).save(paths[-1], quality=90)
    return paths


def measure(predictor: Predictor, rounds: list[list[Path]], out: Path) -> None:
    """Print both times of each round, their medians, and the memory of the process."""
    process, walls, cpus, counts = psutil.Process(), [], [], []
    opened = predictor.opened
    with Outputs(out, opened.classes, opened.palette, opened.task) as outputs:

        def write(item, image, found) -> None:
            counts.append(len(found) if hasattr(found, "boxes") else 1)
            outputs.write(item, image, found)

        for number, paths in enumerate([rounds[0], *rounds]):  # the first warms up
            batches = [[predictor.prepare(read_picture(path))] for path in paths]
            bare = timed(predictor, lambda b=batches: forward(predictor, b))
            names = [str(path) for path in paths]
            whole = timed(
                predictor,
                lambda n=names: run(predictor, items(find_inputs(n, None).entries), write),
            )
            (wall, cpu), (wall_whole, cpu_whole) = bare, whole
            print(
                f"{number:3d}: forward {wall / len(paths):.3f} s ({cpu / len(paths):.3f} of a "
                f"processor), infer {wall_whole / len(paths):.3f} ({cpu_whole / len(paths):.3f}), "
                f"{process.memory_info().rss / 2**20:.0f} MiB, load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
            if number:
                walls.append((wall, wall_whole))
                cpus.append((cpu, cpu_whole))
    print(f"{len(walls)} rounds; objects a picture: {statistics.mean(counts):.1f}")
    for what, pairs in (("wall", walls), ("processor", cpus)):
        ours, theirs = (statistics.median(pair[i] for pair in pairs) for i in (1, 0))
        print(
            f"medians, {what}: {theirs:.3f} s forward, {ours:.3f} infer: {ours / theirs - 1:+.1%}"
        )


def timed(predictor: Predictor, work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock, and of processors by all threads, that some work takes."""
    synchronise(predictor)
    began, used = time.perf_counter(), time.process_time()
    work()
    synchronise(predictor)
    return time.perf_counter() - began, time.process_time() - used


def forward(predictor: Predictor, batches: list[list[Ready]]) -> None:
    """The model's test step alone."""
    with torch.no_grad():
        for batch in batches:
            predictor.opened.model.test_step(collated(batch))


def synchronise(predictor: Predictor) -> None:
    if predictor.opened.device.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
