"""What a callable accepts, read off its signature."""

import difflib
import inspect
from collections.abc import Callable, Collection, Iterable


def options_of(function: Callable, without: Collection[str] = ()) -> tuple[str, ...]:
    """Names of the arguments that a function or class takes by keyword, but for ``without``."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(function).parameters.values()
    return tuple(p.name for p in parameters if p.kind in kinds and p.name not in without)


def options_through(function: Callable) -> tuple[str, ...]:
    """Names of the arguments that a class and those it inherits from take; of a function, its own.

    A class that hands on what it does not know takes what its parents do.
    """
    classes = inspect.getmro(function)[:-1] if inspect.isclass(function) else ()
    makers = [vars(one)["__init__"] for one in classes if "__init__" in vars(one)] or [function]
    names = [name for maker in makers for name in options_of(maker, without=("self",))]
    return tuple(dict.fromkeys(names))


def nearest(word: str, known: Iterable[str]) -> str:
    """End of an error message on a word that is not known: the one probably meant, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f", did you mean {close[0]!r}?" if close else ""
