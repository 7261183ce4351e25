"""Train a small network with HAT and draw its sheet, for docs/how-hat-works.md and the README.

UperNet on a small Swin Transformer whose third and fourth stage are HAT blocks, from scratch on 72
photos of blood cells (docs/own-data.md has the data set): some minutes on one core. The run is
kept in work_dirs/hat-sheet, and not repeated while it is there.

Examples:
    python docs/figures/sheet.py --data data/bccd
"""

import io
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path

from matplotlib.figure import Figure
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image

from mmfastervit.config.finding import find_config
from mmfastervit.files import written_whole
from mmfastervit.hat_sheet import draw_sheet, explain

FOLDER = Path(__file__).parent
RUN = Path("work_dirs/hat-sheet")
RECIPE = "mmfastervit::seg/upernet_fastervit-0_shapes-256x256.py"
CLASSES = ("background", "RBC", "WBC", "Platelets")
SCALE = (480, 360)
CHANNELS = [48, 96, 192, 384]
ITERATIONS = 200
SWIN = dict(
    type="mmdet.SwinTransformer",
    embed_dims=48,
    depths=(2, 2, 4, 2),
    num_heads=(2, 4, 8, 16),
    drop_path_rate=0.0,
)


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of the photos")
    parser.add_argument("--picture", default="val/BloodImage_00014.jpg", help="below --data")
    parser.add_argument("--point", type=int, nargs=2, default=(330, 240), metavar=("X", "Y"))
    args = parser.parse_args()
    cfg = configure(args.data)
    weights = RUN / f"iter_{ITERATIONS}.pth"
    if not weights.exists():
        Runner.from_cfg(cfg).train()
    picture = args.data / args.picture
    measured = explain(cfg, str(weights), picture, tuple(args.point), with_cam=True)
    measured = replace(measured, name="UperNet, small Swin with HAT, blood cells")
    print(measured.summary())
    for theme, ending in (("light", ""), ("dark", "-dark")):
        figure = draw_sheet(measured, theme)
        drawn = io.BytesIO()
        figure.savefig(drawn, dpi=100, facecolor=figure.get_facecolor())
        sheet = Image.open(drawn).convert("RGB")
        save(sheet, FOLDER / f"hat-sheet{ending}.webp")
        save(upper_part(figure, sheet), FOLDER / f"hat-sheet-top{ending}.webp")


def configure(data: Path) -> Config:
    """The recipe of the drawn shapes for the photos, on the small Swin with HAT."""
    cfg = Config.fromfile(find_config(RECIPE))
    cfg.model.backbone = dict(
        type="mmfastervit.HATBackbone", backbone=SWIN, stages=(2, 3), mode="replace"
    )
    cfg.model.decode_head.in_channels = CHANNELS
    cfg.model.auxiliary_head.in_channels = CHANNELS[cfg.model.auxiliary_head.in_index]
    for loader, split in ((cfg.train_dataloader, "train"), (cfg.test_dataloader, "val")):
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.data_root = str(data)
        loader.dataset.metainfo = dict(classes=CLASSES, palette=[[60 * i] * 3 for i in range(4)])
        loader.dataset.data_prefix = dict(img_path=split, seg_map_path=f"{split}_semantic")
        for transform in loader.dataset.pipeline:
            if transform.type in ("Resize", "RandomResize"):
                transform.scale = SCALE
    cfg.train_dataloader.batch_size = 2
    cfg.train_cfg = dict(type="IterBasedTrainLoop", max_iters=ITERATIONS, val_interval=10**6)
    cfg.param_scheduler[1].update(T_max=ITERATIONS - 20, end=ITERATIONS)
    cfg.default_hooks.checkpoint.interval = ITERATIONS
    cfg.update(
        val_dataloader=None, val_cfg=None, val_evaluator=None, work_dir=str(RUN),
        randomness=dict(seed=0),
    )  # fmt: skip
    return cfg


def upper_part(figure: Figure, sheet: Image.Image) -> Image.Image:
    """The sheet above its second heading, which the README shows."""
    second = next(text for text in figure.texts if text.get_text().startswith("Which windows"))
    above = 1 - second.get_position()[1] - 0.2 / figure.get_figheight()
    return sheet.crop((0, 0, sheet.width, round(above * sheet.height)))


def save(image: Image.Image, file: Path) -> None:
    """Write a picture; a palette, which makes a PNG small, would change the colours of maps."""
    with written_whole(file) as part:
        image.save(part, quality=86, method=6)
    print(f"{file.name}: {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
