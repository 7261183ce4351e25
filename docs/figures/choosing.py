"""Draw docs/figures/choosing.png and print the table of docs/choosing.md: cost and accuracy.

    python docs/figures/choosing.py

Operations are counted here, of the backbones alone on tensors without data; accuracies are the
publishers' (arXiv 2306.06189, the authors' repository), none of them measured with this package.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import timm
import torch
from matplotlib import pyplot as plt
from torch import nn

from mmfastervit import FasterViT
from mmfastervit.archs import ARCHS
from mmfastervit.bench.measure import operations_by_kind

PICTURE = Path(__file__).with_suffix(".png")
SIZES = ((224, 224), (512, 512), (800, 1280))
TOP1 = {
    "fastervit_0": 82.1,
    "fastervit_1": 83.2,
    "fastervit_2": 84.2,
    "fastervit_3": 84.9,
    "fastervit_4": 85.4,
    "fastervit_5": 85.6,
    "fastervit_6": 85.8,
    "fastervit_4_21k_224": 86.6,
    "fastervit_4_21k_384": 87.6,
    "fastervit_4_21k_512": 87.8,
    "fastervit_4_21k_768": 87.9,
}
THROUGHPUT = (5802, 4188, 3161, 1780, 849, 449, 352)  # im/s of FasterViT-0 to -6 on one A100


@dataclass(frozen=True)
class Published:
    """What the paper says of a backbone with Cascade Mask R-CNN (box AP) and UperNet (mIoU)."""

    family: str
    size: str
    box_ap: float
    miou: float | None


PUBLISHED = {
    "fastervit_2": Published("FasterViT", "2", 52.1, 47.2),
    "fastervit_3": Published("FasterViT", "3", 52.4, 48.7),
    "fastervit_4": Published("FasterViT", "4", 52.9, 49.1),
    "swin_tiny_patch4_window7_224": Published("Swin", "T", 50.4, 44.5),
    "swin_small_patch4_window7_224": Published("Swin", "S", 51.9, 47.6),
    "swin_base_patch4_window7_224": Published("Swin", "B", 51.9, 48.1),
    "convnext_tiny": Published("ConvNeXt", "T", 50.4, None),  # single scale is not stated
    "convnext_small": Published("ConvNeXt", "S", 51.9, None),
    "convnext_base": Published("ConvNeXt", "B", 52.7, None),
}
LOOKS = {  # colour, marker, and where the size stands beside it
    "FasterViT": ("#0072B2", "o", (-4, 8)),
    "Swin": ("#B36B00", "s", (5, -15)),
    "ConvNeXt": ("#009E73", "^", (-15, 2)),
}


def build(name: str, size: tuple[int, int]) -> nn.Module:
    """A backbone in eval mode without the memory of its weights."""
    with torch.device("meta"):
        if name in ARCHS:
            return FasterViT(name, out_norm=None).eval()
        options = dict(img_size=size) if name.startswith("swin") else {}
        return timm.create_model(name, features_only=True, **options).eval()


def gflops(name: str, size: tuple[int, int]) -> float:
    """Operations of one image, a multiplication and an addition counted as two."""
    model = build(name, size)
    with torch.no_grad():
        call = partial(model, torch.empty(1, 3, *size, device="meta"))
        return sum(operations_by_kind(call).values())


def table() -> None:
    """Print a row for each architecture."""
    heads = (
        "arch",
        "parameters, M",
        *(f"GFLOPs {h}x{w}" for h, w in SIZES),
        "ImageNet top-1*",
        "im/s*",
    )
    print("|", " | ".join(heads), "|")
    print("|---" * len(heads) + "|")
    for number, name in enumerate(ARCHS):
        millions = sum(p.numel() for p in build(name, SIZES[0]).parameters()) / 1e6
        costs = [f"{gflops(name, size):.1f}" for size in SIZES]
        speed = str(THROUGHPUT[number]) if number < len(THROUGHPUT) else "-"
        print(
            "|", " | ".join((f"`{name}`", f"{millions:.1f}", *costs, str(TOP1[name]), speed)), "|"
        )


def draw() -> None:
    """Box AP against operations at 800x1280, mIoU against those at 512x512."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    panels = (
        (axes[0], (800, 1280), "box_ap", "COCO, Cascade Mask R-CNN: box AP"),
        (axes[1], (512, 512), "miou", "ADE20K, UperNet: mIoU, single scale"),
    )
    for axis, size, field, title in panels:
        for family, (colour, marker, beside) in LOOKS.items():
            points = [
                (gflops(name, size), getattr(row, field), row.size)
                for name, row in PUBLISHED.items()
                if row.family == family and getattr(row, field) is not None
            ]
            if not points:
                continue
            x, y, _ = zip(*points, strict=True)
            axis.plot(x, y, color=colour, marker=marker, label=family)
            for point in points:
                axis.annotate(
                    point[2], point[:2], textcoords="offset points", xytext=beside, color=colour
                )
        axis.set_xscale("log")
        axis.margins(0.08)
        axis.set_title(title, fontsize=11)
        axis.set_xlabel(f"GFLOPs of the backbone at {size[0]}x{size[1]}, counted here")
        axis.set_xticks(*ticks(axis.get_xlim()))
        axis.minorticks_off()
        axis.grid(alpha=0.3)
        axis.legend(loc="lower right")
    figure.savefig(PICTURE, dpi=110)


def ticks(limits: tuple[float, float]) -> tuple[list[float], list[str]]:
    """Round numbers of a logarithmic axis between its limits."""
    values = [v for v in (20, 50, 100, 200, 500, 1000, 2000) if limits[0] <= v <= limits[1]]
    return values, [str(v) for v in values]


if __name__ == "__main__":
    table()
    draw()
