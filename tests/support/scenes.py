"""What the readers of the pages have in their folder before they run a page's commands."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from support.made_data import make
from support.pages import ROOT, blocks

from mmfastervit.datasets.shapes import write_dataset

RETINANET = "mmdet::retinanet/retinanet_r50_fpn_1x_coco.py"


@dataclass(frozen=True)
class Scene:
    """The folder of a page's reader.

    Args:
        folder: Where its commands are run.
    """

    folder: Path

    def checkout(self) -> None:
        """The folders of a checkout that pages name."""
        for name in ("configs", "docs", "tools", "tests"):
            (self.folder / name).symlink_to(ROOT / name)

    def shapes(self, place: str) -> None:
        """Drawn shapes: files in COCO's format, pictures, label maps."""
        write_dataset(self.folder / place, train=6, val=3, size=64, seed=0)

    def published(self, *names: str) -> None:
        """Weights in the names and at the place of the published ones, without their values."""
        from mmfastervit import FasterViT
        from mmfastervit.checkpoint.published import PUBLISHED
        from mmfastervit.files import written_whole

        import torch

        hub = self.folder / ".torch/hub/checkpoints"
        hub.mkdir(parents=True, exist_ok=True)
        for name in names:
            weights = PUBLISHED[name]
            state = FasterViT(weights.arch, out_norm=None).state_dict()
            with written_whole(hub / weights.file) as file:
                torch.save({"state_dict": state}, file)

    def python(self, page: str) -> None:
        """The files that a page tells its reader to write, by its comments ``quick-start: NAME``."""
        for block in blocks(ROOT / page, "python"):
            if block.note.startswith("quick-start: "):
                name = block.note.removeprefix("quick-start: ").split()[0]
                (self.folder / name).write_text(block.text)


def _quick_start(scene: Scene) -> None:
    scene.checkout()
    scene.python("docs/quick-start.md")
    (scene.folder / "pictures").mkdir()
    for name in ("one", "two", "three", "four", "five"):
        Image.new("RGB", (256, 192), "teal").save(scene.folder / f"pictures/{name}.jpg")


def _own_data(scene: Scene) -> None:
    scene.checkout()
    scene.shapes("data/cells")
    scene.shapes("data/streets")
    scene.published("fastervit_0_224_1k")


def _coco(scene: Scene) -> None:
    scene.checkout()
    make(scene.folder, "data/coco/")
    scene.published("fastervit_2_224_1k", "fastervit_0_224_1k")


def _ade20k(scene: Scene) -> None:
    scene.checkout()
    make(scene.folder, "data/ade/ADEChallengeData2016")
    scene.published("fastervit_2_224_1k")


def _commands(scene: Scene) -> None:
    scene.checkout()


def _distributed(scene: Scene) -> None:
    _coco(scene)
    _ade20k(scene)


SCENES: dict[str, Callable[[Scene], None]] = {
    "README.md": lambda scene: scene.checkout(),
    "docs/quick-start.md": _quick_start,
    "docs/own-data.md": _own_data,
    "docs/coco.md": _coco,
    "docs/ade20k.md": _ade20k,
    "docs/commands.md": _commands,
    "docs/distributed.md": _distributed,
}
