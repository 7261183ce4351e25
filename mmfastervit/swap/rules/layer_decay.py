"""Layer-wise learning rates: those of the old backbone's layers become those of FasterViT's."""

from mmfastervit.config.changes import Change
from mmfastervit.config.tree import ABSENT, plain, type_name
from mmfastervit.swap.context import Context
from mmfastervit.swap.probing import number_of_layers

CONSTRUCTOR = "mmfastervit.LayerDecayOptimWrapperConstructor"
_DEFAULT_RATE = 0.5  # mmpretrain's
# What mmdet's and mmseg's constructors do to vectors without being told; and some heads share
# parameters, which those took once.
_AS_THEY_DID = dict(
    norm_decay_mult=0.0, bias_decay_mult=0.0, flat_decay_mult=0.0, bypass_duplicate=True
)
_OF_LAYERS = ("layer_decay_rate", "decay_rate", "decay_type", "num_layers")


def follow_layer_decay(context: Context, settings: dict) -> list[Change]:
    """Put our constructor in place of one that knows the old backbone's layers by name.

    The first layer keeps its share of the learning rate; from there to the last, which has all of
    it, the rate now grows over as many layers as FasterViT has.

    Args:
        context: The config.
        settings: Its ``paramwise_cfg``, or what another rule makes of it.
    """
    wrapper = context.section("optim_wrapper")
    constructor = wrapper.get("constructor")
    if constructor is None or "Decay" not in type_name(constructor):
        return []
    rate = settings.get("layer_decay_rate", settings.get("decay_rate", _DEFAULT_RATE))
    layers = number_of_layers(context.backbone, context.scope)
    assert layers is not None  # a FasterViT tells
    before = _layers_before(context, settings) or layers
    now = round(rate ** ((before - 1) / (layers - 1)), 4)
    kept = {key: plain(value) for key, value in settings.items() if key not in _OF_LAYERS}
    defaults = _AS_THEY_DID if "num_layers" in settings else dict(bypass_duplicate=True)
    why = (
        f"{type_name(constructor)} knows the old backbone's layers by name; the first of "
        f"FasterViT's {layers} layers has {now ** (layers - 1):.2g} of the rate, as that of the "
        f"old {before}"
    )
    return [
        Change(("optim_wrapper", "constructor"), constructor, CONSTRUCTOR, why),
        Change(
            ("optim_wrapper", "paramwise_cfg"),
            plain(wrapper.get("paramwise_cfg", ABSENT)),
            dict(_delete_=True, layer_decay_rate=now) | defaults | kept,
            why,
        ),
    ]


def _layers_before(context: Context, settings: dict) -> int | None:
    """Layers of the old backbone, stem and heads included; None where nothing tells."""
    if "num_layers" in settings:
        return settings["num_layers"] + 2
    return number_of_layers(context.part["backbone"], context.scope)
