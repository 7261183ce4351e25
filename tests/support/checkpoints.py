"""Checkpoints for tests: published ones by the reference implementation, small ones, evil ones."""

import functools
import os
from pathlib import Path
from unittest.mock import patch

import torch
from torch import nn

from mmfastervit import FasterViT

DERIVED = ("relative_bias", "relative_coords_table", "relative_position_index")


def add_extras(weights: dict, windows) -> dict:
    tables = {
        f"levels.{stage}.blocks.0.attn.pos_emb_funct.{DERIVED[1]}": torch.zeros(
            1, 2 * side - 1, 2 * side - 1, 2
        )
        for stage, side in zip((2, 3), windows, strict=True)
    }
    classifier = {"norm.weight": torch.ones(4), "head.weight": torch.ones(10, 4)}
    return {**weights, **tables, **classifier}


def prefixed(weights: dict, prefix: str) -> dict:
    return {prefix + name: value for name, value in weights.items()}


def learned(model: nn.Module) -> dict:
    return {k: v for k, v in model.state_dict().items() if not k.startswith("out_norms.")}


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(value, b[name]) for name, value in a.items())


def shapes_of(arch: str) -> str:
    """Name an architecture of the same shapes; those of the 21k variants are all the same."""
    return "fastervit_4_21k_224" if "21k" in arch else arch


@functools.cache
def on_meta(arch: str, **options) -> FasterViT:
    """Build a model of names and shapes alone; drawing values that do not exist takes long."""
    with torch.device("meta"), patch("mmfastervit.models.backbones.fastervit.initialize"):
        return FasterViT(arch, **options)


class Touch:
    """An object whose unpickling makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def save_with_code(path: Path, weights: dict, legacy: bool = False) -> Path:
    """Save a checkpoint beside whose weights stands code; return what that code would make."""
    made = path.with_name("made_by_unpickling")
    content = dict(state_dict=weights, extra=Touch(made))
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return made
