"""What `mmfastervit infer` adds to the time of the model's forward pass, and whether memory grows.

Not a test: it takes minutes and tells times. Pictures of 640x480 are made, saved as JPEG, and gone
over in rounds. In each, some go through the model alone, as tensors that are there already, and
then the same through all that `infer` does: reading, decoding, resizing, predicting, drawing,
writing.

    PYTHONPATH=tests python tests/infer_overhead.py det --pictures 200
"""

import os
import statistics
import time
from argparse import ArgumentParser
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
from mmfastervit.inference.predicting import collated
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
    arguments = parser.parse_args()
    cfg = Config.fromfile(find_config(RECIPES[arguments.task]))
    predictor = Predictor(open_model(cfg, None, arguments.device), score_thr=0.05)
    print(
        f"{os.getloadavg()[0]:.1f} load, {torch.get_num_threads()} threads, {RECIPES}", flush=True
    )
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
    process, alone, whole = psutil.Process(), [], []
    opened = predictor.opened
    with Outputs(out, opened.classes, opened.palette, opened.task) as outputs:
        for number, paths in enumerate([rounds[0], *rounds]):  # the first warms up
            bare = forward(predictor, paths)
            began = time.perf_counter()
            run(predictor, items(find_inputs([str(path) for path in paths], None)), outputs.write)
            taken = (time.perf_counter() - began) / len(paths)
            memory = process.memory_info().rss / 2**20
            print(
                f"{number:3d}: forward {bare:.4f} s, infer {taken:.4f} s a picture "
                f"({taken / bare - 1:+.1%}), {memory:.0f} MiB, load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
            if number:
                alone.append(bare)
                whole.append(taken)
    forward_median, median = statistics.median(alone), statistics.median(whole)
    ratio = statistics.median(w / a for w, a in zip(whole, alone, strict=True))
    print(
        f"medians of {len(alone)} rounds: forward {forward_median:.4f} s, infer {median:.4f} s; "
        f"added {median / forward_median - 1:.1%}, median of the rounds' own {ratio - 1:.1%}"
    )


def forward(predictor: Predictor, paths: list[Path]) -> float:
    """Seconds a picture of the model's test step alone."""
    batches = [[predictor.prepare(read_picture(path))] for path in paths]
    data = [collated(batch) for batch in batches]
    synchronise(predictor)
    began = time.perf_counter()
    with torch.no_grad():
        for one in data:
            predictor.opened.model.test_step(one)
    synchronise(predictor)
    return (time.perf_counter() - began) / len(paths)


def synchronise(predictor: Predictor) -> None:
    if predictor.opened.device.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
