"""Write a config for your own data, filled in from what a folder holds.

det takes a file or two in COCO's format, with boxes or masks, and the pictures that they list; a
single file is parted into one to train on and one to evaluate on, written beside it. seg takes
folders of pictures and of label maps with the same names; where there are none to evaluate on, two
lists of names, written into DIR, part them. Your files stay as they are.

Examples:
    mmfastervit new det data/cells
    mmfastervit new det data/cells --train train.json --val val.json --out cells.py
    mmfastervit new seg data/streets --out streets.py
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from mmfastervit.config.templates import filled
from mmfastervit.datasets.own import OwnData, find_instances, find_labels, write_parts
from mmfastervit.files import written_whole

from .arguments import check_writable


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("task", choices=("det", "seg"), help="boxes and masks, or label maps")
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of your data")
    parser.add_argument("--train", metavar="FILE", help="COCO file to train on, below DIR")
    parser.add_argument("--val", metavar="FILE", help="COCO file to evaluate on, below DIR")
    parser.add_argument(
        "--val-share",
        type=float,
        default=0.2,
        metavar="SHARE",
        help="of the pictures, for evaluation, where there are none for it (default: 0.2)",
    )
    parser.add_argument("--out", type=Path, metavar="FILE.py", help="default: ./NAME_OF_DIR.py")
    parser.add_argument("--force", action="store_true", help="replace FILE.py if it is there")


def prepare(arguments: Namespace) -> tuple[OwnData, Path, Path]:
    """What the folder holds, the folder, and the file to write."""
    folder = arguments.folder
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    if not 0 < arguments.val_share < 1:
        raise ValueError(f"--val-share takes a number between 0 and 1, not {arguments.val_share}")
    out = arguments.out or Path(f"{folder.resolve().name}.py")
    check_writable("--out", out)
    if out.exists() and not arguments.force:
        raise FileExistsError(f"--out {out} is there already: name another file, or give --force")
    if arguments.task == "seg":
        if arguments.train or arguments.val:
            raise ValueError("--train and --val are for det")
        return find_labels(folder, arguments.val_share), folder, out
    found = find_instances(folder, arguments.train, arguments.val, arguments.val_share)
    return found, folder, out


def run(prepared: tuple[OwnData, Path, Path]) -> int:
    """Write the config and say what stands in it."""
    data, folder, out = prepared
    values: dict[str, Any] = dict(
        data_root=f"{folder.as_posix()}/",
        classes=data.classes,
        files=data.files,
        image_scale=data.image_scale,
        epochs=data.epochs,
        **data.further,
    )
    write_parts(data)
    with written_whole(out) as file:
        file.write_text(filled(data.template, values, out), encoding="utf-8")
    if data.remark:
        print(data.remark)
    print(
        f"{out}: {data.template}; classes: {', '.join(data.classes)}; pictures to train on: "
        f"{data.images}; epochs: {data.epochs}\n"
        f"Look at its first lines, then: mmfastervit train {out}"
    )
    return 0
