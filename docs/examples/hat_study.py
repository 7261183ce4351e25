"""What HAT brings to other backbones and what it costs, measured side by side.

Examples:
    python docs/examples/hat_study.py cost    # full-size hosts at 800x1280, small ones in training
    python docs/examples/hat_study.py reach   # one corner told what stands at the other
    python docs/examples/hat_study.py train --data data/bccd  # small hosts on photos of blood cells
    python docs/examples/hat_study.py table   # what train has measured so far
"""

import json
import statistics
from argparse import ArgumentDefaultsHelpFormatter, ArgumentParser, Namespace
from functools import partial
from pathlib import Path
from typing import Any

import mmdet.models  # noqa: F401  (registers the hosts)
import mmpretrain.models  # noqa: F401
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from mmengine.runner import Runner, set_random_seed
from torch import nn

from mmfastervit import HATPlugin, insert_hat
from mmfastervit.bench.measure import operations_by_kind, ratio, time_interleaved
from mmfastervit.config.finding import find_config

RECIPE = "mmfastervit::seg/upernet_fastervit-0_shapes-256x256.py"
EVERY_STAGE = (0, 1, 2, 3)
CONVNEXT = dict(type="mmpretrain.ConvNeXt", out_indices=EVERY_STAGE, gap_before_final_norm=False)
RESNET = dict(type="mmdet.ResNet", norm_eval=False)
LARGE_HOSTS: dict[str, dict] = {
    "Swin-T": dict(type="mmdet.SwinTransformer"),
    "ConvNeXt-T": dict(**CONVNEXT, arch="tiny", layer_scale_init_value=1.0),
    "ResNet-50": dict(**RESNET, depth=50),
}
SMALL_HOSTS: dict[str, dict] = {
    "Swin, 48 channels, 2-2-2-2": dict(
        type="mmdet.SwinTransformer",
        embed_dims=48,
        depths=(2, 2, 2, 2),
        num_heads=(2, 4, 8, 16),
        drop_path_rate=0.0,
    ),
    "ConvNeXt-atto": dict(**CONVNEXT, arch="atto", layer_scale_init_value=1.0),
    "ResNet-18": dict(**RESNET, depth=18),
}
PLAIN = "plain"
MODES = (PLAIN, "append", "replace")
CLASSES = ("background", "RBC", "WBC", "Platelets")


def main() -> None:
    args = parse_args()
    {"cost": cost, "reach": reach, "train": train, "table": table}[args.what](args)


def parse_args() -> Namespace:
    parser = ArgumentParser(description=__doc__, formatter_class=ArgumentDefaultsHelpFormatter)
    parser.add_argument("what", choices=("cost", "reach", "train", "table"))
    parser.add_argument("--out", type=Path, default=Path("work_dirs/hat.jsonl"), help="of train")
    parser.add_argument("--data", type=Path, metavar="DIR", help="photos, which train needs")
    parser.add_argument("--iterations", type=int, default=150, help="of a run of train")
    parser.add_argument("--seeds", type=int, default=3, help="runs a host and mode, of train")
    parser.add_argument("--steps", type=int, default=300, help="of reach")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES, help="of train")
    parser.add_argument("--rounds", type=int, default=7, help="timings of each model, of cost")
    args = parser.parse_args()
    if args.what == "train" and args.data is None:
        parser.error("train needs --data DIR with train, val and their _semantic label maps")
    return args


def modes(host: dict) -> tuple[str, ...]:
    """How a host can be had: without HAT, and with."""
    return MODES if "Swin" in host["type"] else MODES[:2]


def variants(host: dict) -> dict[str, nn.Module]:
    """A host as it is and with HAT in stages 2 and 3, by mode."""
    models = {mode: MODELS.build(host) for mode in modes(host)}
    for mode, model in models.items():
        if mode != PLAIN:
            insert_hat(model, mode=mode)
    return models


def cost(args: Namespace) -> None:
    """Print parameters, operations and time of every host with and without HAT."""
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, float32, medians")
    for name, host in LARGE_HOSTS.items():
        print_costs(name, variants(host), torch.randn(1, 3, 800, 1280), False, args.rounds)
    for name, host in SMALL_HOSTS.items():
        print_costs(name, variants(host), torch.randn(4, 3, 224, 224), True, args.rounds)


def print_costs(
    name: str, models: dict[str, nn.Module], x: torch.Tensor, training: bool, rounds: int
) -> None:
    """Print one host's rows."""
    calls = {}
    for mode, model in models.items():
        model.train(training)
        calls[mode] = partial(step if training else infer, model, x)
    seconds = time_interleaved(calls, rounds)
    what = "training step" if training else "inference"
    print(f"\n{name}, {what}, batch {len(x)}, {x.shape[2]}x{x.shape[3]}")
    for mode, model in models.items():
        parameters = sum(p.numel() for p in model.parameters())
        gflops = sum(operations_by_kind(partial(infer, model, x)).values())
        print(
            f"  {mode:8} {parameters / 1e6:6.2f} M parameters "
            f"{gflops / len(x):7.2f} GFLOPs an image "
            f"{statistics.median(seconds[mode]):6.3f} s "
            f"x{ratio(seconds[mode], seconds[PLAIN]):.3f}",
            flush=True,
        )


@torch.no_grad()
def infer(model: nn.Module, x: torch.Tensor) -> None:
    model(x)


def step(model: nn.Module, x: torch.Tensor) -> None:
    model.zero_grad()
    sum(y.square().mean() for y in model(x)).backward()


def reach(args: Namespace) -> None:
    """Teach a plug-in to tell at one corner what stands at the other, which windows alone cannot.

    Once with the carriers' fresh bias, once without a bias as in the formula of pretrained weights.
    """
    print(f"accuracy on 512 fresh maps of 14x21, one of four kinds; batch 32, {args.steps} steps")
    for name, bias in (("level with pixels", None), ("none (pretrained formula)", 0.0)):
        for seed in range(args.seeds):
            print(f"  bias {name}, seed {seed}: {far_sight(args.steps, bias, seed)}", flush=True)


def far_sight(steps: int, bias: float | None, seed: int, channels: int = 32) -> str:
    """Train for ``steps``; the accuracy after every 50."""
    torch.manual_seed(seed)
    plugin: Any = HATPlugin(channels)
    if bias is not None:
        nn.init.constant_(plugin.attention.blocks[0].carrier_key_bias, bias)
    embed, head = nn.Embedding(4, channels), nn.Linear(channels, 4)
    weights = nn.ModuleList((plugin, embed, head)).parameters()
    optimizer = torch.optim.AdamW(weights, lr=3e-3)

    def logits(kinds: torch.Tensor) -> torch.Tensor:
        x = 0.1 * torch.randn(len(kinds), channels, 14, 21)
        x[:, :, :7, :7] += embed(kinds)[:, :, None, None]
        return head(plugin(x)[:, :, -1, -1])

    reached = []
    for i in range(1, steps + 1):
        kinds = torch.randint(4, (32,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(logits(kinds), kinds).backward()
        optimizer.step()
        if i % 50 == 0:
            kinds = torch.randint(4, (512,))
            with torch.no_grad():
                reached.append((logits(kinds).argmax(1) == kinds).float().mean().item())
    return " ".join(f"{accuracy:.2f}" for accuracy in reached)


def train(args: Namespace) -> None:
    """Train small hosts with and without HAT; a run that is in the file already is not repeated."""
    done = {(r["host"], r["mode"], r["seed"]) for r in read(args.out)}
    for seed in range(args.seeds):
        for name, host in SMALL_HOSTS.items():
            for mode in modes(host):
                if mode not in args.modes or (name, mode, seed) in done:
                    continue
                score = train_one(host, mode, seed, args.data, args.iterations)
                result = dict(host=name, mode=mode, seed=seed, mIoU=score)
                args.out.parent.mkdir(parents=True, exist_ok=True)
                with args.out.open("a") as file:
                    file.write(json.dumps(result) + "\n")
    table(args)


def train_one(host: dict, mode: str, seed: int, data: Path, iterations: int) -> float:
    """Train UperNet on photos with label maps; mIoU of the validation set.

    With one seed, the host and the heads start from the same weights with HAT and without, and see
    the same images.
    """
    cfg = train_config(host, data, iterations)
    cfg.work_dir = f"work_dirs/hat/{host['type']}-{mode}-{seed}"
    set_random_seed(seed)
    plain = MODELS.build(cfg.model)
    plain.init_weights()
    cfg.load_from = str(Path(cfg.work_dir, "start.pth"))
    Path(cfg.work_dir).mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": plain.state_dict()}, cfg.load_from)
    if mode != PLAIN:
        cfg.model.backbone = dict(type="mmfastervit.HATBackbone", backbone=host, mode=mode)
    cfg.randomness = dict(seed=seed)
    runner = Runner.from_cfg(cfg)
    runner.train()
    return float(runner.val()["mIoU"])


def train_config(host: dict, data: Path, iterations: int) -> Config:
    """The recipe of the drawn shapes, narrow heads and all, for ``data`` and a host."""
    cfg = Config.fromfile(find_config(RECIPE))
    with torch.no_grad():
        channels = [y.shape[1] for y in MODELS.build(host)(torch.randn(1, 3, 64, 64))]
    cfg.model.backbone = host
    cfg.model.decode_head.in_channels = channels
    cfg.model.auxiliary_head.in_channels = channels[cfg.model.auxiliary_head.in_index]
    for dataloader, split in ((cfg.train_dataloader, "train"), (cfg.val_dataloader, "val")):
        dataloader.num_workers = 0
        dataloader.persistent_workers = False
        dataset = dataloader.dataset
        dataset.data_root = str(data)
        dataset.metainfo = dict(classes=CLASSES, palette=[[60 * i] * 3 for i in range(4)])
        dataset.data_prefix = dict(img_path=split, seg_map_path=f"{split}_semantic")
        for transform in dataset.pipeline:
            if transform.type in ("Resize", "RandomResize"):
                transform.scale = (320, 240)
    cfg.train_cfg = dict(type="IterBasedTrainLoop", max_iters=iterations, val_interval=10**6)
    cfg.param_scheduler[1].update(T_max=iterations - 20, end=iterations)
    return cfg


def read(path: Path) -> list[dict]:
    """Results of earlier runs."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def table(args: Namespace) -> None:
    """Print mean and spread of what was trained."""
    results = read(args.out)
    print("| host | mode | mIoU, mean | of the seeds |\n|---|---|---|---|")
    for host, mode in dict.fromkeys((r["host"], r["mode"]) for r in results):
        scores = [r["mIoU"] for r in results if (r["host"], r["mode"]) == (host, mode)]
        each = ", ".join(f"{score:.1f}" for score in scores)
        print(f"| {host} | {mode} | {statistics.mean(scores):.1f} | {each} |")


if __name__ == "__main__":
    main()
