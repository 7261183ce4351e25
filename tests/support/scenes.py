"""What the readers of the pages have in their folder before they run a page's commands."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine.config import Config
from PIL import Image

from mmfastervit import FasterViT
from mmfastervit.checkpoint.published import PUBLISHED
from mmfastervit.config.finding import find_config
from mmfastervit.datasets.shapes import write_dataset
from mmfastervit.inference.opening import open_model
from support.made_data import make
from support.opened import picture
from support.pages import ROOT, blocks


@dataclass(frozen=True)
class Scene:
    """The folder of a page's reader.

    Args:
        folder: Where its commands are run.
    """

    folder: Path

    def install(self) -> None:
        """Put a command `mmfastervit` on the path: the brief one."""
        binary = self.folder / ".bin"
        binary.mkdir()
        script = binary / "mmfastervit"
        # after a reader's own PYTHONPATH, which a page may set
        places = f"PYTHONPATH=${{PYTHONPATH:+$PYTHONPATH:}}{ROOT / 'tests'}:{ROOT}"
        script.write_text(
            f'#!/bin/sh\nexec env "{places}" {sys.executable} -m support.briefly "$@"\n'
        )
        script.chmod(0o755)

    def run(self, line: str) -> subprocess.CompletedProcess:
        """Run a line in the reader's shell."""
        env = os.environ | {
            "PATH": f"{self.folder / '.bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "TORCH_HOME": str(self.folder / ".torch"),
            "OMP_NUM_THREADS": "1",
        }
        return subprocess.run(
            ["bash", "-c", line], cwd=self.folder, env=env, capture_output=True, text=True,
            timeout=1200, check=False,
        )  # fmt: skip

    def prepared(self, line: str) -> None:
        """Run a line that a reader has run before."""
        done = self.run(line)
        if done.returncode:
            raise RuntimeError(f"{line}\n{done.stdout}{done.stderr}")

    def checkout(self) -> None:
        """The folders of a checkout that pages name."""
        for name in ("configs", "docs", "tools", "tests"):
            (self.folder / name).symlink_to(ROOT / name)

    def shapes(self, place: str) -> None:
        """Drawn shapes: files in COCO's format, pictures, label maps."""
        write_dataset(self.folder / place, train=6, val=3, size=64, seed=0)

    def photos(self, *places: str) -> None:
        """A picture at each place."""
        for place in places:
            path = self.folder / place
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture((640, 480))).save(path)

    def published(self, *names: str) -> None:
        """Files in the place of downloaded weights, with others inside."""
        hub = self.folder / ".torch/hub/checkpoints"
        hub.mkdir(parents=True, exist_ok=True)
        for name in names:
            weights = PUBLISHED[name]
            state = FasterViT(weights.arch, out_norm=None).state_dict()
            torch.save({"state_dict": state}, hub / weights.file)

    def own(self, task: str) -> None:
        """`cells.py`, as ``mmfastervit new`` writes it for `data/cells`."""
        self.shapes("data/cells")
        self.prepared(f"mmfastervit new {task} data/cells --out cells.py")

    def trained(self, config: str, checkpoint: str) -> None:
        """A checkpoint of a config, with random weights."""
        path = self.folder / config
        cfg = Config.fromfile(path if path.exists() else find_config(config))
        opened = open_model(cfg, None)
        out = self.folder / checkpoint
        out.parent.mkdir(parents=True, exist_ok=True)
        meta = dict(dataset_meta=dict(classes=opened.classes), cfg=cfg.pretty_text)
        torch.save(dict(meta=meta, state_dict=opened.model.state_dict()), out)

    def python(self, page: str) -> None:
        """The files that a page has its reader write, by its comments ``quick-start: NAME``."""
        for block in blocks(ROOT / page, "python"):
            if block.note.startswith("quick-start: "):
                name = block.note.removeprefix("quick-start: ").split()[0]
                (self.folder / name).write_text(block.text)


def _quick_start(scene: Scene) -> None:
    scene.python("docs/quick-start.md")
    scene.photos(*(f"pictures/{name}.jpg" for name in ("one", "two", "three", "four", "five")))


def _own_data(scene: Scene) -> None:
    scene.shapes("data/cells")
    scene.shapes("data/streets")
    scene.published("fastervit_0_224_1k")


def _long_runs(scene: Scene) -> None:
    scene.own("det")
    scene.published("fastervit_0_224_1k")


def _readme(scene: Scene) -> None:
    scene.shapes("data/cells")
    scene.published("fastervit_0_224_1k")
    scene.photos("photos/a.jpg")


def _coco(scene: Scene) -> None:
    scene.checkout()
    make(scene.folder, "data/coco/")
    _without_panoptic(scene.folder / "data/coco")
    scene.published("fastervit_2_224_1k", "fastervit_0_224_1k")


def _ade20k(scene: Scene) -> None:
    make(scene.folder, "data/ade/ADEChallengeData2016")
    scene.published("fastervit_2_224_1k")


def _data_sets(scene: Scene) -> None:
    """The published data sets as a reader has unpacked them, without COCO's panoptic part."""
    for place in ("coco", "ade/ADEChallengeData2016", "cityscapes", "VOCdevkit/VOC2012"):
        make(scene.folder, f"data/{place}")
    (scene.folder / "data").rename(scene.folder / "sets")
    (scene.folder / "sets/ade/ADEChallengeData2016").rename(
        scene.folder / "sets/ADEChallengeData2016"
    )
    _without_panoptic(scene.folder / "sets/coco")


def _without_panoptic(coco: Path) -> None:
    for path in coco.glob("annotations/panoptic_*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _distributed(scene: Scene) -> None:
    _coco(scene)
    _ade20k(scene)


def _trained_cells(scene: Scene) -> None:
    scene.own("det")
    scene.trained("cells.py", "epoch_24.pth")
    (scene.folder / "work_dirs/cells").mkdir(parents=True)
    (scene.folder / "work_dirs/cells/epoch_24.pth").hardlink_to(scene.folder / "epoch_24.pth")
    (scene.folder / "work_dirs/cells/last_checkpoint").write_text("epoch_24.pth")
    scene.photos("photos/a.jpg", "photos/b.png", "scans/c.tif", "cell.jpg")


def _label_maps(scene: Scene) -> None:
    """`maps.py`, a segmentor of `data/cells`, and a checkpoint of it."""
    scene.prepared("mmfastervit new seg data/cells --out maps.py")
    scene.trained("maps.py", "maps.pth")


def _inference(scene: Scene) -> None:
    _trained_cells(scene)
    _label_maps(scene)
    scene.prepared(
        "mmfastervit export maps.py maps.pth --part model --one-size --size 64 64 --out maps.onnx"
    )


def _runs(scene: Scene) -> None:
    _trained_cells(scene)
    scene.published("fastervit_0_224_1k")
    for name in ("one", "other"):
        scratch = "--cfg-options model.backbone.init_cfg=None"
        scene.prepared(f"mmfastervit train cells.py --work-dir work_dirs/{name} {scratch}")


def _deploy(scene: Scene) -> None:
    _trained_cells(scene)
    _label_maps(scene)
    scene.trained("mmfastervit::seg/fpn_fastervit-0_8xb4-80k_ade20k-512x512.py", "fpn.pth")
    scene.published("fastervit_0_224_1k")
    hub = scene.folder / ".torch/hub/checkpoints/fastervit_0_224_1k.pth.tar"
    (scene.folder / hub.name).hardlink_to(hub)


def _swap(scene: Scene) -> None:
    (scene.folder / "my_config.py").write_text(
        '_base_ = "mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py"\n'
    )


def _photos_of(place: str, suffix: str, classes: tuple[str, ...]) -> Callable[[Scene], None]:
    """Drawn shapes in the form and with the names of the photos of an example."""

    def made(scene: Scene) -> None:
        scene.checkout()
        scene.shapes("drawn")
        drawn, folder = scene.folder / "drawn", scene.folder / place
        for split, name in (("train", "training"), ("val", "validation")):
            shutil.copytree(drawn / "images" / name, folder / split)
            shutil.copytree(drawn / "annotations" / name, folder / f"{split}_semantic")
            content = json.loads((drawn / f"instances_{split}.json").read_text())
            for labels in (folder / f"{split}_semantic").iterdir():
                with Image.open(labels) as drawn_labels:
                    values = drawn_labels.point(lambda value: min(value, len(classes)))
                values.save(labels)
            for image in content["images"]:
                _save_as(folder / split / image["file_name"], suffix)
                image["file_name"] = str(Path(image["file_name"]).with_suffix(suffix))
            content["categories"] = [dict(id=i, name=n) for i, n in enumerate(classes, 1)]
            for annotation in content["annotations"]:
                annotation["category_id"] = min(annotation["category_id"], len(classes))
            (folder / f"{split}.json").write_text(json.dumps(content))

    return made


def _save_as(picture: Path, suffix: str) -> None:
    """Save a picture in the format of a suffix instead."""
    with Image.open(picture) as image:
        pixels = image.convert("RGB")
    picture.unlink()
    pixels.save(picture.with_suffix(suffix))


SCENES: dict[str, Callable[[Scene], None]] = {
    "README.md": _readme,
    "docs/quick-start.md": _quick_start,
    "docs/own-data.md": _own_data,
    "docs/coco.md": _coco,
    "docs/ade20k.md": _ade20k,
    "docs/distributed.md": _distributed,
    "docs/inference.md": _inference,
    "docs/how-hat-works.md": _trained_cells,
    "docs/look-at-runs.md": _runs,
    "docs/deploy.md": _deploy,
    "docs/long-runs.md": _long_runs,
    "docs/swap.md": _swap,
    "docs/commands.md": _swap,
    "docs/data-sets.md": _data_sets,
    "docs/examples/bccd/README.md": _photos_of("data/bccd", ".jpg", ("RBC", "WBC", "Platelets")),
    "docs/examples/nuclei/README.md": _photos_of("data/nuclei", ".png", ("nucleus",)),
}
