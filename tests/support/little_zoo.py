"""A package with the configs of a few little models, as OpenMMLab's install theirs."""

from pathlib import Path

from .little_detectors import config_of

NAME = "littlezoo"
# A segmentor whose adapter mixes up the classes, as a defect of one would
WRONG = """
from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS

from mmfastervit.export import register_adapter
from mmfastervit.export.families.segmentors import Segmentor


@MODELS.register_module(force=True)
class MixedUp(EncoderDecoder):
    pass


class Mixed(Segmentor):
    def forward(self, images, size):
        return dict(classes=4 - super().forward(images, size)["classes"])


register_adapter("mixed up", lambda model: type(model).__name__ == "MixedUp", Mixed)
"""


def little_zoo(folder: Path) -> None:
    """Write it: ``littlezoo`` is found once ``folder`` is on the path.

    Its models: a segmentor, in two configs that differ in nothing of weight; a detector; one that
    is refused, as it suppresses softly; and one of a family whose adapter is wrong.
    """
    package = folder / NAME
    configs = package / ".mim/configs"
    for part in ("good", "bad"):
        (configs / part).mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (folder / "mixed_up.py").write_text(WRONG)
    segmentor = config_of("segformer")
    segmentor.dump(configs / "good/a-segformer.py")
    segmentor.merge_from_dict({"model.decode_head.num_classes": 4, "train_dataloader": dict(n=1)})
    segmentor.dump(configs / "good/b-segformer-longer.py")
    config_of("retinanet").dump(configs / "good/c-retinanet.py")
    refused = config_of("fcos")
    refused.merge_from_dict({"model.test_cfg.nms.type": "soft_nms"})
    refused.dump(configs / "bad/d-fcos-soft.py")
    wrong = config_of("segformer")
    wrong.model.type = "MixedUp"
    wrong.custom_imports = dict(imports=["mmfastervit", "mixed_up"], allow_failed_imports=False)
    wrong.dump(configs / "bad/e-mixed-up.py")
    (configs / "bad/f-no-model.py").write_text("lr = 1")
