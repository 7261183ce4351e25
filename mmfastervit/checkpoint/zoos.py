"""Names of weights in the zoos that mmengine knows, and the addresses behind them."""

from collections.abc import Callable, Mapping
from pathlib import Path

from mmengine.runner import checkpoint as mmengine_checkpoint

from mmfastervit.signatures import nearest


def _openmmlab() -> Mapping[str, str]:
    """OpenMMLab's weights, old names among them; some users add files below mmengine's home."""
    urls = mmengine_checkpoint.get_external_models()
    renamed = mmengine_checkpoint.get_deprecated_model_names()
    return urls | {old: urls[new] for old, new in renamed.items() if new in urls}


_TORCHVISION = mmengine_checkpoint.get_torchvision_models
ZOOS: Mapping[str, Callable[[], Mapping[str, str]]] = {
    "torchvision://": _TORCHVISION,
    "modelzoo://": _TORCHVISION,
    "open-mmlab://": _openmmlab,
    "openmmlab://": _openmmlab,
    "mmcls://": mmengine_checkpoint.get_mmcls_models,
}


def zoo_address(source: str) -> str:
    """The URL, or path, behind a name such as ``torchvision://resnet50``; others as they are.

    Raises:
        ValueError: The zoo has no weights of that name; says which is nearest.
    """
    scheme = next((scheme for scheme in ZOOS if source.startswith(scheme)), None)
    if scheme is None:
        return source
    name, urls = source.removeprefix(scheme), ZOOS[scheme]()
    if name not in urls:
        raise ValueError(f"{source}: there are no weights of that name{nearest(name, urls)}")
    address = urls[name]
    if "://" in address:
        return address
    return str(Path(mmengine_checkpoint._get_mmengine_home(), address))
