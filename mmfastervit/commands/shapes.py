"""Generate the shapes data set: COCO instances and ADE-style semantic maps of the same images."""

import argparse
import logging
import sys
from pathlib import Path

from mmfastervit.datasets.shapes import write_dataset


def parse_args(parser: argparse.ArgumentParser) -> argparse.Namespace:
    parser.add_argument("--out", type=Path, required=True, help="folder to make, e.g. data/shapes")
    parser.add_argument("--train", type=int, default=400, metavar="N", help="training images")
    parser.add_argument("--val", type=int, default=48, metavar="N", help="validation images")
    parser.add_argument("--size", type=int, default=256, metavar="PX", help="image side")
    parser.add_argument("--seed", type=int, default=0, metavar="S")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace a set that this command made"
    )
    return parser.parse_args()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    args = parse_args(parser)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    try:
        write_dataset(**vars(args))
    except ValueError as error:
        parser.error(str(error))
    except OSError as error:
        parser.exit(1, f"{parser.prog}: error: {error}\n")


if __name__ == "__main__":
    main()
