"""Child registries of mmengine's, scope ``mmfastervit``.

``type='mmfastervit.FasterViT'`` resolves in the config of any OpenMMLab package without an import:
mmengine finds this module by the scope's name. Models are registered with mmengine's root as well,
so that ``custom_imports = dict(imports=['mmfastervit'])`` makes the bare name work too.
"""

from collections.abc import Callable
from functools import partial

from mmengine.registry import HOOKS as ROOT_HOOKS
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS as ROOT_CONSTRUCTORS
from mmengine.registry import OPTIM_WRAPPERS as ROOT_OPTIM_WRAPPERS
from mmengine.registry import PARAM_SCHEDULERS as ROOT_PARAM_SCHEDULERS
from mmengine.registry import RUNNERS as ROOT_RUNNERS
from mmengine.registry import Registry
from mmengine.registry.build_functions import build_runner_from_cfg

MODELS = Registry(
    "model", parent=ROOT_MODELS, scope="mmfastervit", locations=["mmfastervit.models"]
)
HOOKS = Registry(
    "hook",
    parent=ROOT_HOOKS,
    scope="mmfastervit",
    locations=["mmfastervit.engine.hooks", "mmfastervit.engine.saving"],
)
OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    "optimizer wrapper constructor",
    parent=ROOT_CONSTRUCTORS,
    scope="mmfastervit",
    locations=["mmfastervit.engine.layer_decay"],
)
OPTIM_WRAPPERS = Registry(
    "optimizer wrapper",
    parent=ROOT_OPTIM_WRAPPERS,
    scope="mmfastervit",
    locations=["mmfastervit.engine.precision"],
)
PARAM_SCHEDULERS = Registry(
    "parameter scheduler",
    parent=ROOT_PARAM_SCHEDULERS,
    scope="mmfastervit",
    locations=["mmfastervit.engine.warm_up"],
)
RUNNERS = Registry(
    "runner",
    build_func=build_runner_from_cfg,
    parent=ROOT_RUNNERS,
    scope="mmfastervit",
    locations=["mmfastervit.engine.sharding"],
)


def register_model(module: Callable | None = None, *, name: str | None = None) -> Callable:
    """Decorator: make a class or builder known as ``mmfastervit.<name>`` and, if free, ``<name>``.

    Args:
        module: What to register; None when called with a name.
        name: Name in configs; the module's own if None.

    Where something else holds the bare name in mmengine's root registry, that stays.

    Raises:
        KeyError: Something else has the name in scope ``mmfastervit``.
    """
    if module is None:
        return partial(register_model, name=name)
    MODELS.register_module(name=name, module=module)
    if (name or module.__name__) not in ROOT_MODELS.module_dict:
        ROOT_MODELS.register_module(name=name, module=module)
    return module
