"""A run over many pictures: one is read and prepared, and one is drawn, while the model computes.

Reading ahead and writing behind are each one thread with a few pictures in hand, so that memory
does not grow with their number, and the order of the pictures stays.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import numpy as np

from .inputs import Item
from .pictures import Unreadable, read_picture
from .predicting import Predictor, Ready
from .results import Detections, Prediction

_IN_HAND = 4  # pictures, beside those of a batch
Write = Callable[[Item, np.ndarray, Prediction], None]
T = TypeVar("T")
R = TypeVar("R")
_END = object()


@dataclass
class Tally:
    """What became of a run.

    Attributes:
        done: Pictures that were predicted on and written.
        objects: How many objects are on them; None of class maps.
        failed: Those that could not be read, and why.
        seconds: How long it took.
        interrupted: Whether the user ended it before its end.
    """

    done: int = 0
    objects: int | None = None
    failed: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 0.0
    interrupted: bool = False

    def add(self, prediction: Prediction) -> None:
        """Count a picture."""
        self.done += 1
        if isinstance(prediction, Detections):
            self.objects = (self.objects or 0) + len(prediction)


def run(
    predictor: Predictor,
    items: Iterable[Item],
    write: Write,
    advance: Callable[[], None] = lambda: None,
) -> Tally:
    """Predict on pictures and write what is found.

    What can't be read is noted, and the rest goes on. An interruption (Ctrl-C) ends the run where
    it is: what was predicted is written.

    Args:
        predictor: The model, open.
        items: The pictures; asked for as the run goes.
        write: Called with each picture, in a thread of its own.
        advance: Called for each picture that is done, or failed.

    Raises:
        Exception: Whatever the model or ``write`` raises.
    """
    tally, began = Tally(), time.perf_counter()

    def ready(item: Item) -> tuple[Item, Ready | str]:
        try:
            if item.fault:
                raise Unreadable(item.fault)
            return item, predictor.prepare(read_picture(item.picture, predictor.channels))
        except Unreadable as error:
            return item, str(error)

    in_hand = predictor.batch_size + _IN_HAND
    with _behind(in_hand) as submit, _ahead(items, ready, in_hand) as prepared:
        try:
            for batch in _batches(predictor, prepared, tally, advance):
                try:
                    found = predictor.predict_batch([one for _, one in batch])
                except Unreadable as error:  # of a picture in tiles, which go one by one
                    tally.failed.append((batch[0][0].told, str(error)))
                    advance()
                    continue
                for (item, one), prediction in zip(batch, found, strict=True):
                    submit(partial(write, item, one.image, prediction))
                    tally.add(prediction)
                    advance()
        except KeyboardInterrupt:
            tally.interrupted = True
    tally.seconds = time.perf_counter() - began
    return tally


def _batches(
    predictor: Predictor,
    prepared: Iterable[tuple[Item, Ready | str]],
    tally: Tally,
    advance: Callable[[], None],
) -> Iterator[list[tuple[Item, Ready]]]:
    """Pictures that go through the model together; those that can't be read are noted."""
    batch: list[tuple[Item, Ready]] = []
    for item, one in prepared:
        if isinstance(one, str):
            tally.failed.append((item.told, one))
            advance()
            continue
        if batch and not predictor.fits([other for _, other in batch], one):
            yield batch
            batch = []
        batch.append((item, one))
        if len(batch) == predictor.batch_size:
            yield batch
            batch = []
    if batch:
        yield batch


@contextmanager
def _ahead(source: Iterable[T], function: Callable[[T], R], in_hand: int) -> Iterator[Iterator[R]]:
    """Iterate over what a function makes of each of a source, a few ahead, in a thread."""
    iterator = iter(source)

    def step() -> R | object:
        one = next(iterator, _END)
        return _END if one is _END else function(one)  # type: ignore[arg-type]  # it is a T

    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting: deque[Future] = deque(pool.submit(step) for _ in range(in_hand))

        def results() -> Iterator[R]:
            while (one := waiting.popleft().result()) is not _END:
                waiting.append(pool.submit(step))
                yield one

        try:
            yield results()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _behind(in_hand: int) -> Iterator[Callable[[Callable[[], None]], None]]:
    """Do tasks in a thread, a few behind; what one raises comes at a later one or at the end."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting: deque[Future] = deque()

        def submit(task: Callable[[], None]) -> None:
            while len(waiting) >= in_hand:
                waiting.popleft().result()
            waiting.append(pool.submit(task))

        yield submit
        while waiting:
            waiting.popleft().result()
