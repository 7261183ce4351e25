"""Try a model in the browser: drop a picture, click a point.

The page is served on this machine alone (127.0.0.1). Ctrl-C ends it.

Examples:
    mmfastervit app --config CONFIG --checkpoint FILE
    mmfastervit app --checkpoint PUBLISHED.pth --port 8000 --device cuda
"""

from argparse import ArgumentParser, Namespace
from importlib.util import find_spec

from mmfastervit.inference.opening import open_model

SCORE = 0.3
MAX_UPLOAD = 20


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--config", help="config of the model; a published file needs none")
    parser.add_argument("--checkpoint", required=True, help="its weights: file, URL or name")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 ... (default: cpu)")
    parser.add_argument(
        "--score-thr", type=float, default=SCORE, help="where the slider stands (default: 0.3)"
    )
    parser.add_argument("--port", type=int, help="(default: the first free one from 7860 on)")
    parser.add_argument(
        "--max-upload", type=int, default=MAX_UPLOAD, help="largest file, in MB (default: 20)"
    )


def prepare(arguments: Namespace) -> Namespace:
    if find_spec("gradio") is None:
        raise ValueError("the page needs the library gradio: pip install 'mmfastervit[app]'")
    if not 0 <= arguments.score_thr <= 1:
        raise ValueError(f"--score-thr must be from 0 to 1, not {arguments.score_thr}")
    if arguments.max_upload < 1:
        raise ValueError(f"--max-upload must be at least 1 (MB), not {arguments.max_upload}")
    from mmfastervit.app.answering import ModelAnswers

    opened = open_model(arguments.config, arguments.checkpoint, arguments.device)
    arguments.answers = ModelAnswers(opened)
    return arguments


def run(prepared: Namespace) -> int:
    from mmfastervit.app.building import build_page
    from mmfastervit.app.serving import serve

    page = build_page(prepared.answers, prepared.score_thr)
    address = serve(page, prepared.port, prepared.max_upload)
    print(f"{prepared.answers.name} can be tried at {address} on this machine; Ctrl-C ends it")
    page.block_thread()
    return 0
