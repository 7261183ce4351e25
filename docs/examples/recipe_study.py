"""Which settings of FasterViT matter on small data: paired runs, one setting changed at a time.

Examples:
    python docs/examples/recipe_study.py train --bccd data/bccd --nuclei data/nuclei
    python docs/examples/recipe_study.py table
    python docs/examples/recipe_study.py plot --picture recipe-study.png
"""

import json
import statistics
from argparse import ArgumentDefaultsHelpFormatter, ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner import Runner, set_random_seed
from torch import Tensor, nn

from mmfastervit.config.finding import find_config

RECIPE = "mmfastervit::seg/upernet_fastervit-0_shapes-256x256.py"
WORK_DIR = Path("work_dirs/recipe_study")
# FasterViT-0 with a quarter of its channels: a run takes about a minute of one core. So narrow a
# model learns at rates that are higher than the recipes'.
ARCH = dict(dim=16, in_dim=16, depths=(2, 3, 6, 5), num_heads=(1, 1, 2, 4))
HEAD_CHANNELS = 32
CLASSES = {
    "bccd": ("background", "RBC", "WBC", "Platelets"),
    "nuclei": ("background", "nucleus"),
}
SCALES = {"bccd": (320, 240), "nuclei": (256, 256)}  # the photos of cells are 640x480
SUFFIXES = {"bccd": ".jpg", "nuclei": ".png"}
OTHER = {"bccd": "nuclei", "nuclei": "bccd"}
SCRATCH, PRETRAINED = "from scratch", "pretrained"
LEARNING_RATES = {SCRATCH: 4e-3, PRETRAINED: 2e-3}
CROP = (128, 128)  # two windows a side in stage 2, the second of them mostly padding
AS_IS = "as in the recipes"


@dataclass(frozen=True)
class Variant:
    """The recipe with one setting changed.

    Args:
        name: What is changed, as the table says it.
        start: Where its weights come from: ``SCRATCH`` or ``PRETRAINED``.
        backbone: Options of the backbone that differ.
        layer_decay: Rate of the layer-wise decay, or None for none.
    """

    name: str
    start: str
    backbone: dict = field(default_factory=dict)
    layer_decay: float | None = None


DECAY = 0.8
NO_CARRIERS = dict(ARCH, windows=(14, 7), carrier_size=0)
VARIANTS = (
    Variant(AS_IS, SCRATCH),
    Variant("drop path 0.1", SCRATCH, dict(drop_path_rate=0.1)),
    Variant("drop path 0.3", SCRATCH, dict(drop_path_rate=0.3)),
    Variant("out_norm BN", SCRATCH, dict(out_norm="BN")),
    Variant("windows of 14, no carriers", SCRATCH, dict(arch=NO_CARRIERS)),
    Variant("carriers extrapolated", SCRATCH, dict(carrier_position="extrapolate")),
    Variant(f"layer decay {DECAY}", SCRATCH, layer_decay=DECAY),
    Variant(AS_IS, PRETRAINED),
    Variant(f"layer decay {DECAY}", PRETRAINED, layer_decay=DECAY),
    Variant("norm_eval", PRETRAINED, dict(norm_eval=True)),
    Variant(
        "norm_eval, norms frozen",
        PRETRAINED,
        dict(norm_eval=True, norm_cfg=dict(type="BN", requires_grad=False)),
    ),
    Variant("carriers extrapolated", PRETRAINED, dict(carrier_position="extrapolate")),
)


def main() -> None:
    args = parse_args()
    {"train": train, "table": table, "plot": plot}[args.what](args)


def parse_args() -> Namespace:
    parser = ArgumentParser(description=__doc__, formatter_class=ArgumentDefaultsHelpFormatter)
    parser.add_argument("what", choices=("train", "table", "plot"))
    parser.add_argument("--results", type=Path, default=WORK_DIR / "results.jsonl")
    parser.add_argument("--bccd", type=Path, metavar="DIR", help="photos of cells, for train")
    parser.add_argument("--nuclei", type=Path, metavar="DIR", help="photos of nuclei, for train")
    parser.add_argument("--iterations", type=int, default=480, help="of a run, of two crops each")
    parser.add_argument("--pretraining", type=int, default=960, help="iterations on the other data")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--data",
        nargs="+",
        choices=CLASSES,
        default=list(CLASSES),
        help="two processes take one each",
    )
    parser.add_argument("--picture", type=Path, default=WORK_DIR / "study.png", help="of plot")
    args = parser.parse_args()
    if args.what == "train" and not (args.bccd and args.nuclei):
        parser.error(
            "train needs --bccd DIR and --nuclei DIR with train, val and _semantic label maps"
        )
    return args


def train(args: Namespace) -> None:
    """Train what is not in the file of results yet, all variants of one seed before the next."""
    args.results.parent.mkdir(parents=True, exist_ok=True)
    done = {(r["data"], r["start"], r["variant"], r["seed"]) for r in read(args.results)}
    for seed in range(args.seeds):
        for data in args.data:
            for variant in VARIANTS:
                if (data, variant.start, variant.name, seed) in done:
                    continue
                score = train_one(variant, data, seed, args)
                result = dict(
                    data=data, start=variant.start, variant=variant.name, seed=seed, mIoU=score
                )
                with args.results.open("a") as file:
                    file.write(json.dumps(result) + "\n")
    table(args)


def train_one(variant: Variant, data: str, seed: int, args: Namespace) -> float:
    """Train a variant; mIoU of the validation photos, in percent.

    With one seed every variant of a start begins with the same weights, as far as it has them, and
    sees the same crops.
    """
    folder = getattr(args, data)
    start = start_weights(variant.start, data, seed, args)
    cfg = config(variant, data, folder, args.iterations)
    return run(cfg, f"{data}-{VARIANTS.index(variant)}-{seed}", seed, start)


def run(cfg: Config, name: str, seed: int, start: dict[str, Tensor]) -> float:
    """Train a config from the given weights."""
    cfg.experiment_name = cfg.visualizer.name = name  # unnamed runs of one second share a log
    cfg.work_dir = str(WORK_DIR / name)
    cfg.randomness = dict(seed=seed)
    runner = Runner.from_cfg(cfg)
    runner.model.init_weights()  # the Runner does not repeat it
    copy_where_it_fits(start, runner.model)
    set_random_seed(seed)  # a variant with other layers has drawn other numbers so far
    runner.train()
    return float(runner.message_hub.get_scalar("val/mIoU").current())


def start_weights(start: str, data: str, seed: int, args: Namespace) -> dict[str, Tensor]:
    """The weights that the recipe begins with; pretrained on the other data but for its heads."""
    set_random_seed(seed)
    base = config(VARIANTS[0], data, getattr(args, data), args.iterations)
    weights = initial(base)
    if start == PRETRAINED:
        weights |= {
            k: v for k, v in pretrain(OTHER[data], args).items() if k.startswith("backbone")
        }
    return weights


def initial(cfg: Config) -> dict[str, Tensor]:
    from mmengine.registry import MODELS, init_default_scope

    init_default_scope("mmseg")
    model = MODELS.build(cfg.model)
    model.init_weights()
    return model.state_dict()


def pretrain(data: str, args: Namespace) -> dict[str, Tensor]:
    """Weights of the recipe trained longer on one of the sets, once for all seeds."""
    file = WORK_DIR / f"pretrained-{data}.pth"
    if not file.exists():
        cfg = config(VARIANTS[0], data, getattr(args, data), args.pretraining)
        set_random_seed(100)
        score = run(cfg, file.stem, 100, initial(cfg))
        trained = torch.load(WORK_DIR / file.stem / f"iter_{args.pretraining}.pth")
        torch.save({"mIoU": score, "state_dict": trained["state_dict"]}, file)
    return torch.load(file)["state_dict"]


def copy_where_it_fits(weights: dict[str, Tensor], model: nn.Module) -> None:
    """Copy what a model has by name and shape, which one without carriers does not have all of."""
    own = model.state_dict(keep_vars=True)
    with torch.no_grad():
        for name, value in weights.items():
            if name in own and own[name].shape == value.shape:
                own[name].copy_(value)


def config(variant: Variant, data: str, folder: Path, iterations: int) -> Config:
    """The recipe of the drawn shapes, narrow heads and all, on photos, with a variant's change."""
    cfg = Config.fromfile(find_config(RECIPE))
    cfg.model.backbone.update(arch=ARCH, drop_path_rate=0.2)
    cfg.model.backbone.update(variant.backbone)
    channels = [ARCH["dim"] * 2**stage for stage in range(4)]
    for head, own in ((cfg.model.decode_head, channels), (cfg.model.auxiliary_head, channels[2])):
        head.update(in_channels=own, channels=HEAD_CHANNELS, num_classes=len(CLASSES[data]))
    for loader, split in ((cfg.train_dataloader, "train"), (cfg.val_dataloader, "val")):
        loader.update(num_workers=0, persistent_workers=False, batch_size=2)
        loader.dataset.update(
            data_root=str(folder),
            img_suffix=SUFFIXES[data],
            metainfo=dict(
                classes=CLASSES[data], palette=[[60 * i] * 3 for i in range(len(CLASSES[data]))]
            ),
            data_prefix=dict(img_path=split, seg_map_path=f"{split}_semantic"),
        )
        for transform in loader.dataset.pipeline:
            if transform.type in ("Resize", "RandomResize"):
                transform.scale = SCALES[data]
            elif transform.type == "RandomCrop":
                transform.crop_size = CROP
    cfg.model.data_preprocessor.size = CROP
    cfg.val_dataloader.batch_size = 1  # the photos differ in size
    cfg.train_cfg = dict(type="IterBasedTrainLoop", max_iters=iterations, val_interval=iterations)
    cfg.param_scheduler[1].update(T_max=iterations - 20, end=iterations)
    cfg.optim_wrapper.optimizer.lr = LEARNING_RATES[variant.start]
    if variant.layer_decay:
        cfg.optim_wrapper.constructor = "mmfastervit.LayerDecayOptimWrapperConstructor"
        cfg.optim_wrapper.paramwise_cfg.layer_decay_rate = variant.layer_decay
    cfg.default_hooks.checkpoint.update(interval=iterations, max_keep_ckpts=1)
    return cfg


def read(path: Path) -> list[dict]:
    """Results of earlier runs."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@dataclass(frozen=True)
class Row:
    """A variant's scores on one set, and by how much each differs from the recipe's own seed."""

    data: str
    start: str
    variant: str
    scores: list[float]
    changes: list[float]


def rows(results: list[dict]) -> Iterator[Row]:
    """The results by set, start and variant, in the order of VARIANTS."""
    scores = {(r["data"], r["start"], r["variant"], r["seed"]): r["mIoU"] for r in results}
    for data in CLASSES:
        for variant in VARIANTS:
            own = {
                key[3]: score
                for key, score in scores.items()
                if key[:3] == (data, variant.start, variant.name)
            }
            changes = [
                score - scores[data, variant.start, AS_IS, seed]
                for seed, score in own.items()
                if (data, variant.start, AS_IS, seed) in scores
            ]
            if own:
                yield Row(data, variant.start, variant.name, list(own.values()), changes)


def table(args: Namespace) -> None:
    """Print each variant's mean, its seeds, and the change of each seed."""
    print("| data | start | setting | mIoU | of the seeds | change, mean | of the seeds |")
    print("|---|---|---|---|---|---|---|")
    for row in rows(read(args.results)):
        changed = ("", "") if row.variant == AS_IS else told(row.changes, "+")
        cells = (row.data, row.start, row.variant, *told(row.scores), *changed)
        print("|", " | ".join(cells), "|")


def told(values: list[float], sign: str = "") -> tuple[str, str]:
    """The mean, and each value."""
    form = f"{{:{sign}.1f}}"
    return form.format(statistics.mean(values)), ", ".join(form.format(v) for v in values)


def plot(args: Namespace) -> None:
    """Draw the change of each seed: what lies on both sides of 0 shows nothing."""
    from matplotlib import pyplot as plt

    changed = [row for row in rows(read(args.results)) if row.variant != AS_IS]
    names = list(dict.fromkeys((row.start, row.variant) for row in changed))[::-1]
    figure, axes = plt.subplots(1, 2, figsize=(10, 5), sharey=True, layout="constrained")
    for axis, data in zip(axes, CLASSES, strict=True):
        for row in (row for row in changed if row.data == data):
            height = names.index((row.start, row.variant))
            colour = "#0072B2" if row.start == SCRATCH else "#D55E00"
            axis.scatter(row.changes, [height] * len(row.changes), color=colour, alpha=0.8)
            axis.plot([statistics.mean(row.changes)] * 2, [height - 0.3, height + 0.3], "k")
        axis.axvline(0, color="0.6", linewidth=1, zorder=0)
        axis.set_title(data)
        axis.set_xlabel("change of mIoU, points; a dot a seed, a bar their mean")
    axes[0].set_yticks(range(len(names)), [f"{name}\n({start})" for start, name in names])
    args.picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.picture, dpi=120)


if __name__ == "__main__":
    main()
