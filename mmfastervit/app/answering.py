"""What a model answers to a page: a prediction, drawn and in numbers, and the sheet of a point."""

import io
from dataclasses import dataclass
from threading import Lock

import numpy as np
from PIL import Image

from mmfastervit.hat_sheet import draw_sheet, measure
from mmfastervit.hat_sheet.stages import choose_stage
from mmfastervit.inference.drawing import draw
from mmfastervit.inference.opening import OpenedModel
from mmfastervit.inference.pictures import read_picture
from mmfastervit.inference.predicting import Predictor
from mmfastervit.inference.results import Detections, Prediction

LOWEST = 0.05  # score from which on objects are kept, for the slider to choose among
SHEET_DPI = 110


@dataclass(frozen=True, eq=False)
class Seen:
    """What one visitor looks at.

    Args:
        image: uint8 (H, W, 3), blue first.
        prediction: Of this image, all objects from :data:`LOWEST` on.
    """

    image: np.ndarray
    prediction: Prediction


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
            ValueError: It can't be read.
        """
        image = read_picture(path)
        with self._computing:
            return Seen(image, self.predictor.predict(image))

    def draw(self, seen: Seen, threshold: float) -> tuple[Image.Image, list[list]]:
        """The picture with what is in it, and for each class its name with its number or share."""
        told = seen.prediction
        if isinstance(told, Detections):
            told = told.kept(threshold)
            names = told.names
            rows = [[name, names.count(name)] for name in told.classes if name in names]
        else:
            rows = [[name, f"{share:.1%}"] for name, share in told.shares().items()]
        return Image.fromarray(draw(seen.image[..., ::-1], told)), rows

    def sheet(self, seen: Seen, x: int, y: int) -> Image.Image:
        """What hierarchical attention does at a point of the drawn picture.

        Raises:
            ValueError: The point is in the legend.
        """
        height, width = seen.image.shape[:2]
        times = self.draw(seen, 1.0)[0].width // width  # small pictures are drawn larger
        x, y = x // times, y // times
        if y >= height:
            raise ValueError("That is the legend: click a point of the picture above it.")
        with self._computing:
            measured = measure(self.opened, seen.image, (x, y))
        file = io.BytesIO()
        draw_sheet(measured).savefig(file, format="png", dpi=SHEET_DPI)
        return Image.open(file)
