"""Child registries of mmengine's, scope ``mmfastervit``.

``type='mmfastervit.FasterViT'`` resolves in the config of any OpenMMLab package without an import:
mmengine finds this module by the scope's name. Models are registered with mmengine's root as well,
so that ``custom_imports = dict(imports=['mmfastervit'])`` makes the bare name work too.
"""

from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import Registry

MODELS = Registry(
    "model", parent=ROOT_MODELS, scope="mmfastervit", locations=["mmfastervit.models"]
)


def register_model(cls: type) -> type:
    """Class decorator: make ``cls`` known as ``mmfastervit.<name>`` and, if free, ``<name>``.

    Raises:
        KeyError: Another class holds the bare name in mmengine's root registry.
    """
    MODELS.register_module(module=cls)
    ROOT_MODELS.register_module(module=cls)
    return cls
