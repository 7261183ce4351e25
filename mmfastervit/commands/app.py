"""Try a model in the browser: drop a picture, click a point.

The page is served on this machine alone (127.0.0.1). Ctrl-C ends it.

Examples:
    mmfastervit app --config CONFIG --checkpoint FILE
    mmfastervit app --checkpoint PUBLISHED.pth --port 8000 --device cpu
    mmfastervit app --config PANOPTIC --checkpoint FILE --cfg-options \\
        model.test_cfg.panoptic_on=False model.test_cfg.instance_on=True
"""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from mmfastervit.inference.opening import default_device, open_model

from .arguments import WrongRequest, add_config_options, told_as
from .model_config import config_asked

if TYPE_CHECKING:
    from mmfastervit.app.answering import ModelAnswers

SCORE = 0.3
MAX_UPLOAD = 20


@dataclass(frozen=True)
class _Request:
    """What to serve, and where."""

    answers: "ModelAnswers"
    score: float
    port: int | None
    max_upload: int


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--config", help="config of the model; a published file needs none")
    parser.add_argument("--checkpoint", required=True, help="its weights: file, URL or name")
    parser.add_argument(
        "--device",
        default=default_device(),
        help="cpu, cuda, cuda:1, ... (default: a GPU if there is one; here %(default)s)",
    )
    parser.add_argument(
        "--score-thr",
        type=float,
        default=SCORE,
        help=f"where the slider stands, from 0.05 to 1 (default: {SCORE})",
    )
    parser.add_argument("--port", type=int, help="(default: the first free one from 7860 on)")
    parser.add_argument(
        "--max-upload",
        type=int,
        default=MAX_UPLOAD,
        help=f"largest file, in MB (default: {MAX_UPLOAD})",
    )
    add_config_options(parser)


def prepare(arguments: Namespace) -> _Request:
    """Check the options, and open the model."""
    if find_spec("gradio") is None:
        raise ValueError("the page needs the library gradio: pip install 'mmfastervit[app]'")
    from mmfastervit.app.answering import LOWEST, ModelAnswers
    from mmfastervit.app.ports import check_port

    if not LOWEST <= arguments.score_thr <= 1:
        raise ValueError(f"--score-thr must be from {LOWEST} to 1, not {arguments.score_thr}")
    if arguments.max_upload < 1:
        raise ValueError(f"--max-upload must be at least 1 (MB), not {arguments.max_upload}")
    if arguments.port is not None:
        check_port(arguments.port)
    cfg = config_asked(arguments)
    opened = open_model(cfg, arguments.checkpoint, arguments.device)
    return _Request(ModelAnswers(opened), arguments.score_thr, arguments.port, arguments.max_upload)


def run(request: _Request) -> int:
    """Serve until Ctrl-C.

    Raises:
        WrongRequest: Another program took the port while the model was opened, or none is free.
    """
    from mmfastervit.app.building import build_page
    from mmfastervit.app.serving import serve

    page = build_page(request.answers, request.score)
    with told_as(WrongRequest, OSError):
        address = serve(page, request.port, request.max_upload)
    told = f"{request.answers.name} can be tried at {address} on this machine; Ctrl-C ends it"
    print(told, flush=True)  # at once, to a pipe too
    page.block_thread()
    return 0
