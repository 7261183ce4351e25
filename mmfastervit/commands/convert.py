"""Convert a FasterViT checkpoint between published names and mmfastervit's, whichever it has not.

Published weights, converted or not, stay under their authors' licence: non-commercial use only.
Example: python tools/convert_checkpoint.py fastervit_0_224_1k.pth.tar fastervit_0.safetensors
"""

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter

from mmfastervit.archs import ARCHS
from mmfastervit.convert import SUFFIXES, convert


def parse_args(parser: ArgumentParser) -> Namespace:
    parser.add_argument("source", metavar="SRC", help="file, URL or mmfastervit://NAME")
    parser.add_argument(
        "target", metavar="DST", help=f"file to write, ending in {', '.join(SUFFIXES)}"
    )
    parser.add_argument(
        "--arch",
        choices=list(ARCHS),
        metavar="NAME",
        help="architecture it must be; name it where the shapes fit several (fastervit_4_21k_*)",
    )
    parser.add_argument(
        "--trust-checkpoint",
        action="store_true",
        help="run whatever code SRC holds; only for files whose author you trust",
    )
    parser.add_argument("--force", action="store_true", help="replace DST if it is there")
    return parser.parse_args()


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    args = parse_args(parser)
    try:
        print(convert(**vars(args)))
    except ValueError as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    except OSError as error:
        parser.exit(1, f"{parser.prog}: error: {error}\n")


if __name__ == "__main__":
    main()
