"""What is said of the recipes, worked out of their names: metafiles, and the tables of a page.

    python tests/support/zoo.py

writes ``configs/*/metafile.yml`` and the tables of ``docs/recipes.md`` and the README anew; tests
check that all are what this writes.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE, FRONT = ROOT / "docs/recipes.md", ROOT / "README.md"
LICENCE = "Weights to start from are their authors': non-commercial use only"
NOT_YET = "not yet"
HOSTS = {"swin-t": "Swin-T", "convnext-t": "ConvNeXt-T"}  # of HAT, with weights of their own
METHODS = {
    "cascade-mask-rcnn": "Cascade Mask R-CNN",
    "mask-rcnn": "Mask R-CNN",
    "faster-rcnn": "Faster R-CNN",
    "retinanet": "RetinaNet",
    "rtmdet": "RTMDet",
    "dino-4scale": "DINO, four scales",
    "mask2former": "Mask2Former",
    "upernet": "UperNet",
    "fpn": "Semantic FPN",
    "segformer": "SegFormer's head",
}
DATA = {
    "coco-panoptic": "COCO panoptic",
    "coco-stuff164k": "COCO-Stuff 164k",
    "coco": "COCO",
    "ade20k": "ADE20K",
    "cityscapes": "Cityscapes",
    "voc12aug": "Pascal VOC 2012",
}
LENGTHS = {
    "1x": "12 epochs",
    "12e": "12 epochs",
    "3x": "36 epochs",
    "36e": "36 epochs",
    "50e": "50 epochs",
    "100e": "100 epochs",
    "20k": "20k iterations",
    "80k": "80k iterations",
    "160k": "160k iterations",
}
# Figures of the paper, and for DINO of the authors' repository; ? where transcriptions differ.
PUBLISHED = {
    ("cascade-mask-rcnn", "2", "3x"): "box 52.1, mask 45.2? AP",
    ("cascade-mask-rcnn", "3", "3x"): "box 52.4, mask 45.4 AP",
    ("cascade-mask-rcnn", "4", "3x"): "box 52.9, mask 45.8 AP",
    ("dino-4scale", "4-21k-224", "12e"): "box 55.16 AP",
    ("upernet", "2", "160k"): "47.2 / 48.4 mIoU",
    ("upernet", "3", "160k"): "48.7 / 49.7 mIoU",
    ("upernet", "4", "160k"): "49.1 / 50.3 mIoU",
}


@dataclass(frozen=True)
class Recipe:
    """A recipe, as its name tells of it.

    Args:
        path: Its file.
        method: First part of the name, one of ``METHODS``.
        arch: The architecture, without ``fastervit-``; a host's name with ``-hat``.
        length: One of ``LENGTHS``.
        data: One of ``DATA``.
    """

    path: Path
    method: str
    arch: str
    length: str
    data: str

    @property
    def host(self) -> str:
        """The backbone that HAT is put into; '' for FasterViT."""
        return HOSTS[self.arch.removesuffix("-hat")] if self.arch.endswith("-hat") else ""

    @property
    def architecture(self) -> tuple[str, ...]:
        """What the model is made of."""
        return (*((self.host, "HAT") if self.host else ("FasterViT",)), METHODS[self.method])

    @property
    def collection(self) -> str:
        """The collection that it is in: those of one method and backbone."""
        return f"{f'{self.host} with HAT,' if self.host else 'FasterViT'} {METHODS[self.method]}"

    @property
    def published(self) -> str:
        """What was published for it, or a dash."""
        return PUBLISHED.get((self.method, self.arch, self.length), "-")


def recipes(task: str) -> list[Recipe]:
    """The recipes of ``det`` or ``seg``, without those on drawn shapes."""
    paths = sorted((ROOT / "configs" / task).glob("*.py"))
    return [describe(path) for path in paths if "shapes" not in path.name]


def describe(path: Path) -> Recipe:
    """Read a recipe's name.

    Raises:
        ValueError: It names no method, architecture, length or data that are known here.
    """
    words = re.split("[-_]", path.stem)
    method = next((name for name in METHODS if path.stem.startswith(f"{name}_")), None)
    data = next((name for name in DATA if name in path.stem), None)
    length = next((word for word in words if word in LENGTHS), None)
    arch = re.search(r"_(?:fastervit-)?((?:[\d]+(?:-21k-\d+)?)|\w+-t-hat)_", path.stem)
    if not (method and data and length and arch):
        raise ValueError(f"{path.name}: the name does not say method, arch, length and data")
    return Recipe(path, method, arch[1], length, data)


def metafile(task: str) -> str:
    """The metafile of a folder."""
    found = recipes(task)
    lines = [
        "# Written by tests/support/zoo.py. No checkpoint has been trained with these recipes yet,",
        "# so no results are listed.",
        "Collections:",
    ]
    for name, architecture in dict.fromkeys((one.collection, one.architecture) for one in found):
        data = sorted({DATA[recipe.data] for recipe in found if recipe.collection == name})
        lines += [
            f"  - Name: {name}",
            "    Metadata:",
            f"      Training Data: {data[0] if len(data) == 1 else data}",
            "      Architecture:",
            *(f"        - {part}" for part in architecture),
            "    Paper:",
            "      Title: 'FasterViT: Fast Vision Transformers with Hierarchical Attention'",
            "      URL: https://arxiv.org/abs/2306.06189",
            "    README: README.md",
        ]
    lines += ["", "Models:"]
    for recipe in found:
        number, unit = LENGTHS[recipe.length].split()
        lines += [
            f"  - Name: {recipe.path.stem}",
            f"    In Collection: {recipe.collection}",
            f"    Config: {recipe.path.relative_to(ROOT).as_posix()}",
            "    Metadata:",
            f"      Training Data: {DATA[recipe.data]}",
            f"      {unit.capitalize()}: {number.replace('k', '000')}",
        ]
        if not recipe.host:
            lines.append(f"      License: {LICENCE!r}")
    return "\n".join(lines) + "\n"


def table(task: str) -> str:
    """The table of a task's recipes: a row for each method, data and length."""
    rows = defaultdict(list)
    for recipe in recipes(task):
        if not recipe.host:
            rows[recipe.method, recipe.data, recipe.length].append(recipe)
    lines = [
        "| recipe | data | length | FasterViT | published* | measured here |",
        "|---|---|---|---|---|---|",
    ]
    order = [*METHODS]
    for method, data, length in sorted(rows, key=lambda row: order.index(row[0])):
        found = rows[method, data, length]
        links = ", ".join(
            f"[{one.arch}](../{one.path.relative_to(ROOT).as_posix()})" for one in found
        )
        figures = [f"{one.arch}: {one.published}" for one in found if one.published != "-"]
        lines.append(
            f"| {METHODS[method]} | {DATA[data]} | {LENGTHS[length]} | {links} | "
            f"{'; '.join(figures) or '-'} | {NOT_YET} |"
        )
    return "\n".join(lines) + "\n"


def overview() -> str:
    """The README's table: a row for each method and data, without the recipes themselves."""
    rows = defaultdict(set)
    for recipe in (*recipes("det"), *recipes("seg")):
        if not recipe.host:
            rows[recipe.method, recipe.data].add(recipe.arch)
    lines = ["| recipe | data | FasterViT | measured here |", "|---|---|---|---|"]
    order = [*METHODS]
    for method, data in sorted(rows, key=lambda row: order.index(row[0])):
        archs = ", ".join(sorted(rows[method, data]))
        lines.append(f"| {METHODS[method]} | {DATA[data]} | {archs} | {NOT_YET} |")
    return "\n".join(lines) + "\n"


def with_tables(page: str) -> str:
    """A page with the tables that it has written anew, each between two comments that name it."""
    tables = dict(det=partial(table, "det"), seg=partial(table, "seg"), all=overview)
    for name, written in tables.items():
        begin, end = f"<!-- recipes: {name} -->\n", "<!-- end -->"
        head, found, rest = page.partition(begin)
        if found:
            page = head + begin + written() + end + rest.partition(end)[2]
    return page


if __name__ == "__main__":
    for folder in ("det", "seg"):
        (ROOT / "configs" / folder / "metafile.yml").write_text(metafile(folder))
    for written in (PAGE, FRONT):
        written.write_text(with_tables(written.read_text()))
