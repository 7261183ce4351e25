"""What a model answers to a page: a prediction, drawn and in numbers, and the sheet of a point."""

import io
from threading import Lock

from PIL import Image

from mmfastervit.hat_sheet import draw_sheet, measure
from mmfastervit.hat_sheet.stages import choose_stage
from mmfastervit.inference.drawing import draw, enlarged_by
from mmfastervit.inference.opening import OpenedModel
from mmfastervit.inference.pictures import LARGEST, Unreadable, read_picture
from mmfastervit.inference.predicting import Predictor
from mmfastervit.inference.results import Detections

from .seen import Seen

LOWEST = 0.05  # score from which on objects are kept, for the slider to choose among
MOST_PIXELS = 40_000_000  # of a picture; it is kept whole in memory for each visitor
TILED = "run `mmfastervit infer --tile 640x640` on it"
CUT = "cut it into parts"  # `infer` takes no file of more than LARGEST either
SHEET_DPI = 110


class ModelAnswers:
    """The part of a page that a model plays.

    Visitors come at the same time, and a model computes one thing at a time.

    Args:
        opened: A model of images with three channels.

    Raises:
        ValueError: It takes images that are not pictures, or its config has no pipeline for them.
    """

    def __init__(self, opened: OpenedModel):
        self.opened = opened
        self.predictor = Predictor(opened, score_thr=LOWEST)
        if self.predictor.channels != 3:
            raise ValueError(
                f"a page shows pictures in colour, and {opened.name} takes images of "
                f"{self.predictor.channels} channels; `mmfastervit infer` takes those"
            )
        self.name = opened.name
        self.lowest = LOWEST
        self.has_scores = opened.task == "det"
        self._computing = Lock()

    @property
    def why_no_sheet(self) -> str | None:
        """Why there is nothing to tell of hierarchical attention; None where there is."""
        try:
            choose_stage(self.opened.model)
        except ValueError as error:
            return str(error)
        return None

    def predict(self, path: str) -> Seen:
        """Read a picture and look at it.

        Raises:
            ValueError: It can't be read, or has more than :data:`MOST_PIXELS` pixels.
        """
        _check_file(path)
        image = read_picture(path)
        _check_size(image.shape[1], image.shape[0])
        with self._computing:
            return Seen.of(image, self.predictor.predict(image))

    def draw(self, seen: Seen, threshold: float) -> tuple[Image.Image, list[list]]:
        """The picture with what is in it, and for each class its name with its number or share."""
        told = seen.kept(threshold)
        if isinstance(told, Detections):
            names = told.names
            rows = [[name, names.count(name)] for name in told.classes if name in names]
        else:
            rows = [[name, f"{share:.1%}"] for name, share in told.shares().items()]
        return Image.fromarray(draw(seen.image[..., ::-1], told)), rows

    def sheet(self, seen: Seen, x: int, y: int) -> Image.Image:
        """What hierarchical attention does at a point of the drawn picture.

        Raises:
            ValueError: The point is in the legend, or beside the picture.
        """
        height, width = seen.image.shape[:2]
        times = enlarged_by(height, width)
        x, y = x // times, y // times
        if y >= height:
            raise ValueError("That is the legend: click a point of the picture above it.")
        if not 0 <= x < width or y < 0:
            raise ValueError("That is beside the picture: click a point of the picture itself.")
        with self._computing:
            measured = measure(self.opened, seen.image, (x, y))
        file = io.BytesIO()
        draw_sheet(measured).savefig(file, format="png", dpi=SHEET_DPI)
        return Image.open(file)


def _check_file(path: str) -> None:
    """Look at the size that a file says, before its pixels are decoded.

    Raises:
        Unreadable: Its picture is too large.
    """
    try:
        with Image.open(path) as picture:
            width, height = picture.size
    except Image.DecompressionBombError as error:
        raise Unreadable(_too_large(f"more than {LARGEST / 1e6:.0f}", CUT)) from error
    except Exception:  # decoders raise anything: an array, or broken, which reading it tells
        return
    _check_size(width, height)


def _check_size(width: int, height: int) -> None:
    pixels = width * height
    if pixels > MOST_PIXELS:
        size = f"{width} x {height} pixels, {pixels / 1e6:.1f}"
        raise Unreadable(_too_large(size, TILED if pixels <= LARGEST else CUT))


def _too_large(size: str, instead: str) -> str:
    return (
        f"it has {size} megapixels, and this page takes {MOST_PIXELS / 1e6:.0f}: make it smaller, "
        f"or {instead}"
    )
