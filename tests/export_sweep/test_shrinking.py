"""Models are made smaller by one rule, and nothing else of them changes."""

from mmengine.config import Config

from mmfastervit.archs import ARCHS
from mmfastervit.config.finding import find_config
from mmfastervit.config.tree import plain, walk
from mmfastervit.export_sweep.shrinking import SIDE, picture_side, shrunk


def model_of(name: str) -> dict:
    return plain(Config.fromfile(find_config(name)).model.to_dict())


def differing(before: dict, after: dict) -> set[str]:
    """Names of the keys whose plain values differ, or are gone."""
    old, new = (
        {path: value for path, value in walk(one) if not isinstance(value, (dict, list, tuple))}
        for one in (before, after)
    )
    return {str(path[-1]) for path in {*old, *new} if old.get(path) != new.get(path)}


def test_a_backbone_has_a_block_a_stage_and_its_channels():
    model = model_of("mmfastervit::det/retinanet_fastervit-2_fpn_1x_coco.py")
    arch = shrunk(model)["backbone"]["arch"]
    assert arch["depths"] == (1, 1, 1, 1)
    assert (arch["dim"], arch["num_heads"]) == (ARCHS["fastervit_2"].dim, (2, 4, 8, 16))


def test_a_dense_detector_loses_candidates_and_weights_alone():
    model = model_of("mmdet::retinanet/retinanet_r50_fpn_1x_coco.py")
    model["backbone"] = dict(type="mmfastervit.FasterViT", arch="fastervit_0")
    found = shrunk(model)
    assert found["test_cfg"]["nms_pre"] == 125
    for one in (model, found):
        del one["backbone"]["arch"]
    assert differing(model, found) == {"nms_pre"}


def test_a_transformer_has_two_layers_of_a_kind_and_queries_that_there_are_pixels_for():
    model = model_of("mmdet::dino/dino-4scale_r50_8xb2-12e_coco.py")
    model["backbone"] = dict(type="mmfastervit.FasterViT", arch="fastervit_0")
    found = shrunk(model)
    assert (found["encoder"]["num_layers"], found["decoder"]["num_layers"]) == (2, 2)
    assert found["num_queries"] == 30


def test_a_segmentor_looks_at_whole_pictures_of_the_size():
    model = model_of("mmfastervit::seg/upernet_fastervit-0_8xb2-160k_ade20k-512x512.py")
    model["test_cfg"] = dict(mode="slide", crop_size=(512, 512), stride=(341, 341))
    assert picture_side(model) == SIDE
    found = shrunk(model)
    assert found["test_cfg"]["mode"] == "whole"
    assert found["data_preprocessor"]["size"] == (SIDE, SIDE)
