"""What stands on the page, and which function answers what is done there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import gradio as gr
from PIL import Image

WELCOME = (
    "Drop a picture. Then click a point of the result, to see what hierarchical attention does "
    "there."
)
NO_HAT = "Drop a picture."
KEPT = 3600  # seconds after which what a visitor looked at is forgotten
FORGOTTEN = (
    "There is no picture: drop one. One that was dropped is forgotten after an hour, or when many "
    "others came since."
)
BUTTONS: list = ["download", "fullscreen"]  # and none that shares


class Answers(Protocol):
    """What a page needs of a model."""

    name: str
    has_scores: bool
    lowest: float

    @property
    def why_no_sheet(self) -> str | None:
        """Why there is nothing to tell of hierarchical attention; None where there is."""

    def predict(self, path: str) -> Any:
        """What the model makes of a picture."""

    def draw(self, seen: Any, threshold: float) -> tuple[Image.Image, list[list[Any]]]:
        """A prediction as a picture, and a row (class, number or share) for each class in it."""

    def sheet(self, seen: Any, x: int, y: int) -> Image.Image:
        """What hierarchical attention does at a point of the picture."""


def build_page(answers: Answers, threshold: float) -> gr.Blocks:
    """A page on which pictures are dropped, and points of them clicked.

    Every visitor has a state of their own: what one sees, no other does. It is forgotten after
    :data:`KEPT` seconds. One picture is computed at a time.

    Args:
        answers: The model's part.
        threshold: Lowest score at the start, from ``answers.lowest`` on.
    """
    with gr.Blocks(title=f"{answers.name}: try it", analytics_enabled=False) as page:
        seen = gr.State(time_to_live=KEPT)
        gr.Markdown(f"# {answers.name}\n{WELCOME if answers.why_no_sheet is None else NO_HAT}")
        with gr.Row():
            with gr.Column(scale=1, min_width=260):
                dropped = gr.File(label="Picture", type="filepath", height=160)
                slider = gr.Slider(
                    answers.lowest,
                    1,
                    threshold,
                    step=0.01,
                    label="Lowest score",
                    visible=answers.has_scores,
                )
                counts = gr.Dataframe(
                    headers=["class", "objects" if answers.has_scores else "share of the picture"],
                    label="What is in it",
                    interactive=False,
                )
            with gr.Column(scale=2, min_width=320):
                result = gr.Image(
                    label="Result", type="pil", format="png", interactive=False, buttons=BUTTONS
                )
        sheet = gr.Image(
            label="HAT at that point", type="pil", format="png", visible=False, buttons=BUTTONS
        )

        def take(path: str | None, lowest: float) -> tuple:
            gone = gr.update(value=None, visible=False)
            if path is None:
                return None, None, [], gone
            with told(path):
                prediction = answers.predict(path)
                return prediction, *answers.draw(prediction, lowest), gone

        def draw_again(prediction: Any, lowest: float) -> tuple:
            if prediction is None:
                gr.Info(FORGOTTEN)
                return None, []
            return answers.draw(prediction, lowest)

        def point(prediction: Any, event: gr.SelectData) -> Any:
            if prediction is None:
                raise gr.Error(FORGOTTEN, print_exception=False)
            if answers.why_no_sheet is not None:
                raise gr.Error(answers.why_no_sheet, print_exception=False)
            with told():
                return gr.update(value=answers.sheet(prediction, *event.index), visible=True)

        dropped.change(take, [dropped, slider], [seen, result, counts, sheet])
        slider.release(draw_again, [seen, slider], [result, counts])
        result.select(point, [seen], [sheet])
    return page.queue(default_concurrency_limit=1)


@contextmanager
def told(path: str | None = None) -> Iterator[None]:
    """Tell a visitor what is wrong with a picture, by its name and not by its place here."""
    try:
        yield
    except (ValueError, OSError) as error:
        message = str(error)
        if path is not None:
            name = Path(path).name
            message = f"{name}: {message.replace(path, name)}"
        raise gr.Error(message, print_exception=False) from error
