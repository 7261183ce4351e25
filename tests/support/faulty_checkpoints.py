"""Checkpoints with one fault each: what is wrong, and what the command says of it."""

import copy
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from mmfastervit import FasterViT
from mmfastervit.checkpoint.names import to_published

from .little_runs import ARCH

HEAD = dict(det="bbox_head", seg="decode_head")
CLASSIFIER = dict(det="bbox_head.retina_cls", seg="decode_head.conv_seg")
CONVS = dict(det="bbox_head.cls_convs", seg="decode_head.convs")
KIND = dict(det="a detector", seg="a segmentor")


@dataclass(frozen=True)
class Case:
    """What a fault is made of.

    Args:
        task: ``"det"`` or ``"seg"``.
        whole: A checkpoint of the task's little run, after a step; may be changed.
        other: One of the other task's.
        folder: Where to write files.
    """

    task: str
    whole: dict[str, Any]
    other: dict[str, Any]
    folder: Path

    @property
    def weights(self) -> OrderedDict[str, Tensor]:
        return self.whole["state_dict"]

    def save(self, content: Any, name: str = "faulty.pth") -> Path:
        torch.save(content, self.folder / name)
        return self.folder / name

    def without(self, *starts: str) -> Path:
        """Save the checkpoint but for weights whose names begin so."""
        self.whole["state_dict"] = OrderedDict(
            (name, value) for name, value in self.weights.items() if not name.startswith(starts)
        )
        return self.save(self.whole)

    def having(self, name: str, value: Tensor) -> Path:
        """Save the checkpoint with another value, or one more."""
        self.weights[name] = value
        return self.save(self.whole)

    def with_first(self, change: Callable[[Tensor], Tensor]) -> Path:
        """Save the checkpoint with the head's classifier changed."""
        name = f"{CLASSIFIER[self.task]}.weight"
        self.weights[name] = change(self.weights[name])
        return self.save(self.whole)


@dataclass(frozen=True)
class Fault:
    """A fault in a checkpoint.

    Args:
        command: What is run: ``test``, ``resume``, ``load_from``, ``export``, ``convert``.
        wrong: What is wrong with the file.
        make: Writes the file and returns its path.
        said: What the message says; ``{head}``, ``{classifier}``, ``{kind}`` and ``{other}`` stand
            for the task's.
        tasks: In which tasks it occurs.
    """

    command: str
    wrong: str
    make: Callable[[Case], Path]
    said: str
    tasks: tuple[str, ...] = ("det", "seg")

    @property
    def name(self) -> str:
        return f"{self.command}: {self.wrong}"

    def words(self, task: str) -> str:
        other = "seg" if task == "det" else "det"
        return self.said.format(
            head=HEAD[task], classifier=CLASSIFIER[task], kind=KIND[task], other=KIND[other]
        )


def _not_finite(value: Tensor, what: float) -> Tensor:
    value = value.clone()
    value.view(-1)[-1] = what
    return value


def _cut(case: Case, part: float) -> Path:
    path = case.save(case.whole)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    return path


def _text(case: Case, text: bytes) -> Path:
    path = case.folder / "faulty.pth"
    path.write_bytes(text)
    return path


def _changed(case: Case) -> Path:
    """A file in which bits were lost on the disk."""
    path = case.save(case.whole)
    weights = case.weights[f"{CLASSIFIER[case.task]}.weight"].numpy().tobytes()
    content = path.read_bytes()
    assert weights in content
    path.write_bytes(content.replace(weights, bytes(len(weights))))
    return path


def _deeper(case: Case) -> Path:
    """The checkpoint of a FasterViT with more blocks."""
    backbone = FasterViT(dict(ARCH, depths=(1, 1, 4, 1)), out_indices=(1, 2, 3))
    whole = nn.ModuleDict(dict(backbone=backbone)).state_dict()
    case.whole["state_dict"] = OrderedDict(
        [*whole.items(), *((k, v) for k, v in case.weights.items() if k not in whole)]
    )
    return case.save(case.whole)


def _stated(case: Case) -> Path:
    """The checkpoint of a FasterViT whose weights have the same shapes."""
    model = nn.ModuleDict(dict(backbone=FasterViT(dict(ARCH, windows=(14, 7)))))
    case.weights._metadata = model.state_dict()._metadata
    return case.save(case.whole)


def _of_resnet(case: Case) -> Path:
    """The same heads on a backbone that names its layers in another way."""
    for index, name in enumerate([n for n in case.weights if n.startswith("backbone.")]):
        value = case.weights.pop(name)
        if value.is_floating_point():
            case.weights[f"backbone.layer1.{index}.conv.weight"] = value
    return case.save(case.whole)


def _backbone(case: Case, published: bool = False) -> Path:
    weights = {
        name.removeprefix("backbone."): value
        for name, value in case.weights.items()
        if name.startswith("backbone.")
    }
    if published:
        weights = to_published(weights) | {"head.weight": torch.ones(10, 64)}
    return case.save(weights)


def _classes(case: Case) -> Path:
    """The same model with 7 classes."""
    for leaf in ("weight", "bias"):
        value = case.weights[f"{CLASSIFIER[case.task]}.{leaf}"]
        case.weights[f"{CLASSIFIER[case.task]}.{leaf}"] = torch.zeros(7, *value.shape[1:])
    return case.save(case.whole)


def _narrower(case: Case) -> Path:
    name = dict(det="neck.lateral_convs.0.conv.weight", seg="decode_head.convs.0.conv.weight")
    value = case.weights[name[case.task]]
    case.weights[name[case.task]] = value[:, : value.shape[1] // 2]
    return case.save(case.whole)


def _nan_in_backbone(case: Case) -> Path:
    return case.having("backbone.stem.conv1.weight", torch.full((8, 3, 3, 3), float("nan")))


def _other_order(case: Case) -> Path:
    meta = case.whole["meta"]["dataset_meta"]
    meta["classes"] = tuple(reversed(meta["classes"]))
    return case.save(case.whole)


def _pickled_model(case: Case) -> Path:
    return case.save(nn.Linear(1, 1))


def _only(*keys: str) -> Callable[[Case], Path]:
    return lambda case: case.save({key: case.whole.get(key, case.weights) for key in keys})


def _dropped(*keys: str) -> Callable[[Case], Path]:
    return lambda case: case.save({k: v for k, v in case.whole.items() if k not in keys})


def _without_iterations(case: Case) -> Path:
    case.whole["meta"].pop("iter")
    return case.save(case.whole)


def _of_sgd(case: Case) -> Path:
    for group in case.whole["optimizer"]["param_groups"]:
        group.pop("betas")
        group.pop("eps")
        group["momentum"] = 0.9
    return case.save(case.whole)


def _of_two_parameters(case: Case) -> Path:
    parameters = [nn.Parameter(torch.ones(1)) for _ in range(2)]
    case.whole["optimizer"] = torch.optim.AdamW(parameters).state_dict()
    return case.save(case.whole)


def _safetensors(case: Case) -> Path:
    path = case.folder / "faulty.safetensors"
    save_file({name: value.contiguous() for name, value in case.weights.items()}, path)
    path.write_bytes(path.read_bytes()[:-4])
    return path


READING = [  # faults that every command finds, since the file can't be read or holds no weights
    ("is half a file", lambda case: _cut(case, 0.5), "is not a complete checkpoint file"),
    ("is empty", lambda case: _text(case, b""), "is not a complete checkpoint file"),
    (
        "has values that are NaN",
        lambda case: case.with_first(lambda value: _not_finite(value, float("nan"))),
        "1 are not finite (NaN or infinite) ({classifier}.weight)",
    ),
]
FAULTS = [
    *(Fault(command, *fault) for command in ("test", "resume", "load_from") for fault in READING),
    Fault(
        "test",
        "lacks the head",
        lambda case: case.without(HEAD[case.task]),
        "learned weights are missing ({head}.",
    ),
    Fault(
        "test",
        "lacks the neck",
        lambda case: case.without("neck"),
        "learned weights are missing (neck.",
        tasks=("det",),
    ),
    Fault(
        "test",
        "lacks the backbone",
        lambda case: case.without("backbone"),
        "learned weights are missing (backbone.stem.conv1.weight, ",
    ),
    Fault(
        "test",
        "lacks one weight",
        lambda case: case.without(f"{CLASSIFIER[case.task]}.bias"),
        "1 of ",
        tasks=("det",),
    ),
    Fault(
        "test",
        "lacks statistics of a norm",
        lambda case: case.without("backbone.stem.norm1.running_var"),
        "learned weights are missing (backbone.stem.norm1.running_var)",
    ),
    Fault("test", "has other classes", _classes, "it has 7 classes instead of "),
    Fault("test", "has other channels", _narrower, "are of another shape ("),
    Fault(
        "test",
        "has values that are infinite",
        lambda case: case.with_first(lambda value: _not_finite(value, float("inf"))),
        "not finite (NaN or infinite) ({classifier}.weight)",
        tasks=("seg",),
    ),
    Fault(
        "test",
        "has complex weights",
        lambda case: case.with_first(lambda value: value.to(torch.complex64)),
        "1 are complex numbers ({classifier}.weight)",
        tasks=("seg",),
    ),
    Fault(
        "test",
        "has weights of whole numbers",
        lambda case: case.with_first(lambda value: (value * 100).to(torch.int8)),
        "1 are whole numbers ({classifier}.weight)",
        tasks=("det",),
    ),
    Fault(
        "test",
        "has weights without values",
        lambda case: case.with_first(lambda value: value.to("meta")),
        "1 are without values ({classifier}.weight)",
        tasks=("det",),
    ),
    Fault(
        "test",
        "has lists in place of weights",
        lambda case: case.with_first(lambda value: value.tolist()),
        "1 are no tensors ({classifier}.weight)",
        tasks=("seg",),
    ),
    Fault("test", "is of the other task", lambda case: case.save(case.other), "looks like {other}"),
    Fault(
        "test",
        "is of a deeper FasterViT",
        _deeper,
        "belong to layers that the model lacks (backbone.stages.2.blocks.2.",
    ),
    Fault(
        "test",
        "is of another FasterViT, as it states",
        _stated,
        "does not fit this FasterViT: windows of 14 pixels instead of 7 in stage 2",
    ),
    Fault("test", "is of another backbone", _of_resnet, "It looks like {kind} ("),
    Fault(
        "test",
        "is a backbone alone",
        _backbone,
        "looks like a backbone or classifier alone with a FasterViT (stem, ",
    ),
    Fault(
        "test",
        "is a published classifier",
        lambda case: _backbone(case, published=True),
        "looks like a backbone or classifier alone with a FasterViT (patch_embed, ",
        tasks=("seg",),
    ),
    Fault(
        "test",
        "has more layers in its head",
        lambda case: case.having(f"{CONVS[case.task]}.4.w", torch.ones(1)),
        "1 belong to layers that the model lacks ({head}.",
    ),
    Fault(
        "test",
        "has a bias that the model lacks",
        lambda case: case.having(f"{CONVS[case.task]}.0.bias", torch.ones(1)),
        "1 belong to layers that the model lacks ({head}.",
        tasks=("det",),
    ),
    Fault(
        "test",
        "is a page of a server",
        lambda case: _text(case, b"<html>Log in</html>"),
        "is not a complete checkpoint file",
        tasks=("det",),
    ),
    Fault(
        "test",
        "is a list",
        lambda case: case.save([torch.ones(1)]),
        "holds a list, not a state dict",
        tasks=("seg",),
    ),
    Fault(
        "test",
        "is the state of an optimizer alone",
        _only("optimizer", "meta"),
        "holds no weights: it holds 'optimizer', 'meta'",
        tasks=("det",),
    ),
    Fault(
        "test",
        "has averaged weights alone",
        _only("ema_state_dict"),
        "there are some under 'ema_state_dict', and mmengine reads those under 'state_dict'",
        tasks=("seg",),
    ),
    Fault(
        "test",
        "has its weights under another key",
        _only("model"),
        "there are some under 'model', and mmengine reads those under 'state_dict'",
        tasks=("det",),
    ),
    Fault(
        "test",
        "has names that are no strings",
        lambda case: case.save({1: torch.ones(1)}),
        "are no named weights",
        tasks=("seg",),
    ),
    Fault(
        "test",
        "was trained on the classes in another order",
        _other_order,
        "give metainfo.classes in the checkpoint's order",
    ),
    Fault(
        "test", "is a whole pickled model", _pickled_model, "holds Python objects", tasks=("seg",)
    ),
    Fault("test", "is a folder", lambda case: case.folder, "it is a folder", tasks=("det",)),
    Fault(
        "test",
        "is not there",
        lambda case: case.folder / "nowhere.pth",
        "1 input(s) of this run are missing",
        tasks=("seg",),
    ),
    Fault("test", "has changed bytes", _changed, "was changed since it was written"),
    Fault(
        "test",
        "is half a safetensors file",
        _safetensors,
        "is not a complete checkpoint file",
        tasks=("det",),
    ),
    Fault(
        "resume",
        "has no state of an optimizer",
        _dropped("optimizer"),
        "holds no state of an optimizer",
    ),
    Fault(
        "resume",
        "does not say how far it is",
        _without_iterations,
        "no run can go on from it",
        tasks=("det",),
    ),
    Fault(
        "resume",
        "is of the other task",
        lambda case: case.save(case.other),
        "looks like {other}",
    ),
    Fault("resume", "has other classes", _classes, "it has 7 classes instead of "),
    Fault("resume", "has changed bytes", _changed, "is not whole"),
    Fault(
        "resume",
        "is of another type of optimizer",
        _of_sgd,
        "its optimizer is no AdamW: it has no betas, eps, but momentum",
        tasks=("seg",),
    ),
    Fault(
        "resume",
        "is of an optimizer with other parameters",
        _of_two_parameters,
        "or groups of other sizes: optim_wrapper is another than it was",
        tasks=("det",),
    ),
    Fault(
        "load_from",
        "is a backbone alone",
        _backbone,
        "A backbone's weights are named by --cfg-options model.backbone.init_cfg.checkpoint=",
    ),
    Fault("load_from", "is of another backbone", _of_resnet, "It looks like {kind} ("),
    Fault(
        "load_from",
        "is of a deeper FasterViT",
        _deeper,
        "belong to layers that the model lacks (backbone.stages.2.blocks.2.",
    ),
    Fault("export", "is half a file", lambda case: _cut(case, 0.5), "is not a complete"),
    Fault(
        "export",
        "lacks a part",
        lambda case: case.without("backbone.stages.3"),
        "learned weights are missing (backbone.stages.3.",
    ),
    Fault(
        "export",
        "has values that are NaN",
        _nan_in_backbone,
        "not finite (NaN or infinite) (backbone.stem.conv1.weight)",
    ),
    Fault(
        "convert",
        "is of another backbone",
        _of_resnet,
        "holds no weights of a FasterViT",
        tasks=("det",),
    ),
    Fault(
        "init_cfg",
        "has values that are NaN",
        _nan_in_backbone,
        "not finite (NaN or infinite) (stem.conv1.weight)",
    ),
    Fault("init_cfg", "is half a file", lambda case: _cut(case, 0.5), "is not a complete"),
]


def case_of(
    task: str, checkpoints: dict[str, dict], folder: Path, with_optimizer: bool = False
) -> Case:
    """The material of a fault, copied so that it may be changed, but for the weights' values."""
    other = "seg" if task == "det" else "det"
    return Case(task, *(_copied(checkpoints[t], with_optimizer) for t in (task, other)), folder)


def _copied(checkpoint: dict[str, Any], with_optimizer: bool) -> dict[str, Any]:
    weights = OrderedDict(checkpoint["state_dict"])
    weights._metadata = checkpoint["state_dict"]._metadata
    copied = dict(state_dict=weights, meta=copy.deepcopy(checkpoint["meta"]))
    if with_optimizer:  # hundreds of tensors
        rest = {key: value for key, value in checkpoint.items() if key not in copied}
        copied |= copy.deepcopy(rest)
    return copied


def rows() -> list[tuple[str, str, str]]:
    """The table for a reader: the command, what is wrong, and the words of the message."""
    return [(fault.command, fault.wrong, fault.words(fault.tasks[0])) for fault in FAULTS]
