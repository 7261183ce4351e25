"""Why a backbone can't be swapped."""

from collections.abc import Iterator
from contextlib import contextmanager


class SwapRefusedError(ValueError):
    """The backbone of this model can't be swapped, for a reason that lies in the model.

    Args:
        reason: What about the model stands in the way.
        nearest: A config of a similar method that can be swapped, if there is one.
    """

    def __init__(self, reason: str, nearest: str | None = None):
        hint = f"; the nearest that can: {nearest}" if nearest else ""
        super().__init__(f"the backbone can't be swapped: {reason}{hint}")
        self.reason = reason
        self.nearest = nearest


class SwapAuditError(RuntimeError):
    """The swapped config would load, but says or reads something else than it should."""


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Let whatever code of others raises inside say which part of the work failed.

    Args:
        what: That part, as the beginning of the message.

    Raises:
        ValueError: an error was raised inside; its type and last line are quoted.
    """
    try:
        yield
    except Exception as error:  # a config is a program, and a model of a zoo may raise anything
        lines = str(error).strip().splitlines() or ["without a message"]
        raise ValueError(f"{what}: {type(error).__name__}: {lines[-1]}") from error
