"""Count the operations and parameters of a config's model, part by part.

Of the whole detector or segmentor in inference, with drawn weights: convolutions, linear layers,
deformable convolutions and both matrix products of attention. A multiplication and an addition
are two operations.

Examples:
    mmfastervit flops mmfastervit::det/mask-rcnn_fastervit-0_fpn_1x_coco.py --shape 800 1280
    mmfastervit flops my_config.py --shape 512 512 --by-module 3
    mmfastervit flops my_config.py --shape 512 512 --batch 4 --json cost.json
"""

from argparse import ArgumentParser, Namespace
from dataclasses import asdict, dataclass
from pathlib import Path

from mmengine.config import Config

from mmfastervit.bench.flops import SCOPES, Cost, cost_of
from mmfastervit.bench.results import write_json
from mmfastervit.engine.options import check_model, read_changed
from mmfastervit.explaining import explained

from .arguments import WrongRequest, add_config_options, check_writable, told_as

COUNTED = (
    "counted: multiplications and additions, each as one operation, of convolutions, linear layers "
    "and both matrix products of attention; not norms, activations, resizing, sampling and what "
    "follows the heads (suppression of boxes)"
)


@dataclass(frozen=True)
class _Request:
    """What to count."""

    cfg: Config
    shape: tuple[int, int]
    batch: int
    depth: int
    json: Path | None


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "config", help="config file, or the name of an installed one: mmdet::FOLDER/FILE.py"
    )
    parser.add_argument(
        "--shape",
        type=int,
        nargs=2,
        required=True,
        metavar=("H", "W"),
        help="height and width of the images once they are resized, in pixels",
    )
    parser.add_argument("--batch", type=int, default=1, metavar="N", help="images (default: 1)")
    parser.add_argument(
        "--by-module",
        type=int,
        default=1,
        metavar="DEPTH",
        help="parts down to this depth (default: 1: backbone, neck, heads)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all parts to this file")
    add_config_options(parser)


def prepare(arguments: Namespace) -> _Request:
    """Read the config and check the numbers."""
    numbers = dict(shape=min(arguments.shape), batch=arguments.batch, by_module=arguments.by_module)
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"--{name.replace('_', '-')} takes numbers of at least 1")
    check_writable("--json", arguments.json)
    cfg = read_changed(arguments.config, arguments.cfg_options)
    check_model(cfg)
    if cfg.get("default_scope") not in SCOPES:
        raise ValueError(
            f"this config is of {cfg.get('default_scope')!r}; the count is for "
            f"{' and '.join(SCOPES)}"
        )
    height, width = arguments.shape
    return _Request(cfg, (height, width), arguments.batch, arguments.by_module, arguments.json)


def run(request: _Request) -> int:
    """Count and print.

    Raises:
        WrongRequest: The model can't be built, or does not take such images.
    """
    with told_as(WrongRequest, ValueError), explained("the model of this config does not run"):
        cost = cost_of(request.cfg, request.shape, request.batch)
    if request.json:
        write_json(request.json, dict(asdict(cost), counted=COUNTED))
    print("\n".join(lines(cost, request.depth)))
    return 0


def lines(cost: Cost, depth: int) -> list[str]:
    """The table of a count, and what it means.

    Args:
        cost: The count.
        depth: Of the parts that are shown.
    """
    names = [
        name
        for name in dict.fromkeys((*cost.parameters, *cost.gflops))
        if name and name.count(".") < depth
    ]
    width = max(map(len, [*names, "the whole model"]))
    found = [f"{'':{width}}  {'GFLOPs':>10}  {'parameters':>12}"]
    for name in [*names, ""]:
        gflops, number = cost.gflops.get(name, 0.0), cost.parameters.get(name, 0)
        title = name or "the whole model"
        found.append(f"{title:{width}}  {gflops:>10.2f}  {number / 1e6:>10.2f} M")
    batch, *size = cost.images
    found.append(f"images: {batch} of {'x'.join(map(str, size))} (channels, height, width, padded)")
    if cost.calls > 1:
        found.append(f"the backbone was called {cost.calls} times, as windows slide")
    if cost.seen:
        regions = ", ".join(f"{name} {number}" for name, number in cost.seen.items())
        found.append(f"regions given, as drawn weights propose them: {regions}")
    pairs = f"{cost.gflops[''] / 2:.2f} G"
    found.append(f"{COUNTED}; in multiply-adds, which papers often call FLOPs: {pairs}")
    return found
