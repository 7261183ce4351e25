"""Putting HAT into a backbone that was built, and taking it out again.

The backbone stays the object it is: its class, its attributes and the names of its weights do not
change, so that its checkpoints, freezing and layer-wise learning rates go on working. HAT's own
weights come under the names of the stages' blocks.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from torch import nn

from mmfastervit.models.layers.tables import share_cache
from mmfastervit.models.stages import resolve_stages
from mmfastervit.registry import MODELS, register_model
from mmfastervit.signatures import options_of

from .appended import AppendedHAT, prepare_append
from .hat_plugin import HATPlugin
from .hosts import HOSTS, Host, Stage, is_of
from .replaced import JoinedBlock, prepare_replace

OPTIONS = {  # by mode
    "append": options_of(HATPlugin, without=("in_channels",)),
    "replace": options_of(prepare_replace, without=("as_window", "stage")),
}


def insert_hat(
    model: nn.Module,
    stages: Sequence[int] = (2, 3),
    mode: str = "append",
    plugin: Mapping | None = None,
) -> list[str]:
    """Put hierarchical attention into the stages of a backbone, in place.

    ``'append'`` adds a :class:`HATPlugin` after the blocks of each stage, before its downsampling
    and its output norm; outputs do not change until training opens its gate. ``'replace'``, for
    window attention only, makes every block a HAT block with the host's own weights: none is
    shifted any more, carriers join the windows instead, and padding is masked.

    Args:
        model: The backbone, or a model that has one as ``backbone`` (a detector, a segmentor).
        stages: Stages of the backbone, from 0; negative ones count from the last.
        mode: 'append' or 'replace'.
        plugin: For 'append', arguments of :class:`HATPlugin` but for ``in_channels``. For
            'replace', ``carrier_size``, ``mlp_ratio`` and ``drop_path_rate`` of the carriers.
            ``with_cp`` is the host's unless given.

    Returns:
        Names, in ``model``, of the modules that were inserted.

    Raises:
        TypeError: ``plugin`` has an argument that is not accepted, or ``stages`` are no integers.
        ValueError: The backbone is of no known kind or cannot take the mode, a stage does not
            exist, or there is HAT in it already. The model is untouched then.
    """
    prefix, backbone, host, found = locate_host(model)
    prepare: dict[str, Callable] = {"append": prepare_append}
    if host.window is not None:
        prepare["replace"] = partial(prepare_replace, host.window)
    if mode not in prepare:
        raise ValueError(
            f"the {type(backbone).__name__} ({host.name}) takes as mode "
            f"{', '.join(map(repr, prepare))}, not {mode!r} ('replace' needs window attention)"
        )
    chosen = [found[i] for i in resolve_stages(stages, len(found))]
    present = [f"{prefix}{name}" for name, _ in hat_modules(backbone)]
    if present:
        raise ValueError(f"there is HAT in this backbone already ({present}): remove_hat first")
    options = check_options(plugin, mode)
    for attach in [prepare[mode](stage, **options) for stage in chosen]:  # all or none
        attach()
    share_cache(backbone)
    return [f"{prefix}{name}" for name, _ in hat_modules(backbone)]


def remove_hat(model: nn.Module) -> list[str]:
    """Take out what :func:`insert_hat` put in, in place: the backbone is again as it was before.

    Args:
        model: The backbone or a model around it.

    Returns:
        Names, in ``model``, of the modules that were taken out.

    Raises:
        ValueError: There are none.
    """
    found = hat_modules(model)
    if not found:
        raise ValueError(f"there is no HAT in this {type(model).__name__} that insert_hat put in")
    for path, module in found:
        owner_path, _, name = path.rpartition(".")
        owner = model.get_submodule(owner_path)
        if isinstance(module, AppendedHAT):
            del owner[int(name)]  # type: ignore[operator]  # an nn.ModuleList or nn.Sequential
        else:
            delattr(owner, name)
            vars(owner).pop("forward", None)  # the class's own comes to light again
    return [path for path, _ in found]


@register_model(name="HATBackbone")
def build_hat_backbone(
    backbone: Mapping,
    stages: Sequence[int] = (2, 3),
    mode: str = "append",
    plugin: Mapping | None = None,
) -> nn.Module:
    """Build a backbone from its config and put HAT into it: ``type='mmfastervit.HATBackbone'``.

    What is built is the backbone itself, of its own class, so that whatever the config of a model
    says about it goes on to hold.

    Args:
        backbone: Config of the backbone.
        stages: See :func:`insert_hat`, as for the rest.

    Returns:
        The backbone.
    """
    if not isinstance(backbone, Mapping) or "type" not in backbone:
        raise TypeError(
            "backbone must be the config of a backbone, such as "
            f"dict(type='mmdet.SwinTransformer', ...), not {backbone!r}"
        )
    built = MODELS.build(backbone)
    insert_hat(built, stages, mode, plugin)
    return built


def hat_modules(root: nn.Module) -> list[tuple[str, nn.Module]]:
    """What :func:`insert_hat` put into ``root``, with its names."""
    added: list[tuple[str, nn.Module]] = []
    for path, module in root.named_modules():
        if isinstance(module, AppendedHAT):
            added.append((path, module))
        elif isinstance(getattr(module, "hat", None), JoinedBlock):
            names = [name for name in ("tokenizer", "hat") if hasattr(module, name)]
            added += [(f"{path}.{name}", module.get_submodule(name)) for name in names]
    return added


def locate_host(model: nn.Module) -> tuple[str, nn.Module, Host, list[Stage]]:
    """Find the backbone in ``model``, its name with a dot behind, its kind and its stages.

    Raises:
        TypeError: Not a module.
        ValueError: The backbone is of no known kind.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"HAT goes into a built model or backbone, not into a {type(model).__name__}"
        )
    prefix, inner = "", model
    while True:
        for host in HOSTS:
            if is_of(inner, *host.classes) and (stages := host.stages(inner)):
                return prefix, inner, host, stages
        name = next((n for n in ("backbone", "module") if hasattr(inner, n)), None)
        if name is None:
            raise ValueError(
                f"HAT cannot be put into a {type(inner).__name__}: it is none of "
                f"{'; '.join(host.name for host in HOSTS)}. Describe it to "
                "mmfastervit.register_host, whose docstring has an example, or build HATPlugin "
                "into it by hand"
            )
        prefix, inner = f"{prefix}{name}.", getattr(inner, name)


def check_options(plugin: Mapping | None, mode: str) -> dict:
    """Return ``plugin`` as a dict if ``mode`` takes its arguments; raise TypeError otherwise."""
    options = {name: value for name, value in (plugin or {}).items() if name != "type"}
    unknown = sorted(set(options) - set(OPTIONS[mode]))
    if unknown:
        raise TypeError(
            f"plugin={plugin!r}: {', '.join(unknown)} cannot be given with mode={mode!r}, which "
            f"takes {', '.join(OPTIONS[mode])} (the rest follows from the host)"
        )
    return options
