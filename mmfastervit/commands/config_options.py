"""Reading ``KEY=VALUE``, the changes to a config on a command line."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any

from mmengine.config import DictAction

from mmfastervit.config.literals import read_literal


class ConfigOptions(DictAction):
    """mmengine's ``KEY=VALUE`` action, which here reads ``dict(a=1)`` and says what it cannot."""

    def __call__(
        self,
        parser: ArgumentParser,
        namespace: Namespace,
        values: Sequence[str],
        option_string: str | None = None,
    ) -> None:
        options = dict(getattr(namespace, self.dest, None) or {})
        for word in values:
            key, separator, value = word.partition("=")
            try:
                if not (key and separator):
                    raise ValueError("there is no '=' behind a key")
                options[key] = read_value(value)
            except (AssertionError, SyntaxError, ValueError, RecursionError) as error:
                parser.error(f"{option_string} takes KEY=VALUE pairs, got {word!r} ({error})")
        setattr(namespace, self.dest, options)


def read_value(text: str) -> Any:
    """Read a value of ``KEY=VALUE``: dicts as Python writes them, the rest as mmengine does.

    Raises:
        ValueError: A dict with something else in it than numbers, strings, lists, tuples, dicts.
        SyntaxError: A dict that Python cannot read.
    """
    if text.lstrip(" [(").startswith(("dict(", "{")):
        return read_literal(text)
    return DictAction._parse_iterable(text)
