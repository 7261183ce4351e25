"""What a callable accepts, read off its signature."""

import difflib
import inspect
from collections.abc import Callable, Collection, Iterable


def options_of(function: Callable, without: Collection[str] = ()) -> tuple[str, ...]:
    """Names of the arguments that a function or class takes by keyword, but for ``without``."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(function).parameters.values()
    return tuple(p.name for p in parameters if p.kind in kinds and p.name not in without)


def nearest(word: str, known: Iterable[str]) -> str:
    """End of an error message on a word that is not known: the one probably meant, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f", did you mean {close[0]!r}?" if close else ""
