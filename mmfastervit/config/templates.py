"""Configs to fill in: the first lines of ``configs/own/NAME.py``, one value each."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .finding import base_name, zoo_folder
from .source import render


def filled(name: str, values: Mapping[str, Any], target: Path) -> str:
    """The text of a template with values in the place of its own.

    Args:
        name: Of the template: ``boxes``, ``masks`` or ``labels``.
        values: By the names that stand to the left in the template's lines.
        target: Where the text will be written; the recipe it builds on is named from there.

    Raises:
        ValueError: The template has no such line.
    """
    folder = zoo_folder("mmfastervit")
    assert folder is not None  # this package is there
    template = folder / "own" / f"{name}.py"
    text = template.read_text(encoding="utf-8")
    base = re.search(r'^_base_ = "(.*)"$', text, re.M)
    assert base is not None
    named = base_name((template.parent / base[1]).resolve(), target)
    for key, value in {**values, "_base_": named}.items():
        line = re.compile(rf"^{key} = .*?(  #.*)?$", re.M)
        found = line.search(text)
        if found is None:
            raise ValueError(f"{template} has no line {key!r}")
        written = f"{key} = {render(value, len(key) + 3)}{found[1] or ''}"
        text = f"{text[: found.start()]}{written}{text[found.end() :]}"
    return text
