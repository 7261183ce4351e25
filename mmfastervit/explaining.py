"""Errors of other people's code, told by what was being done."""

from collections.abc import Iterator
from contextlib import contextmanager


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


def cause_of(error: BaseException) -> str:
    """What went wrong first, in a line: the error that the others were raised from."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else "without a message"
    return f"{type(error).__name__}: {text[:200]}"
