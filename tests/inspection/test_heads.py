"""Every head's number of classes is compared with the names, and no other number is."""

from functools import partial

import pytest
from mmengine.config import Config

from mmfastervit.config.finding import find_config
from mmfastervit.inspection.heads import check_heads, head_counts, ignored_value
from mmfastervit.inspection.sources import sources

source_of = partial(sources, stages=("train",))


@pytest.mark.parametrize(
    ("name", "heads"),
    [
        ("mmdet::retinanet/retinanet_r50_fpn_1x_coco.py", 1),
        ("mmdet::cascade_rcnn/cascade-mask-rcnn_r50_fpn_1x_coco.py", 4),
        ("mmdet::htc/htc_r50_fpn_1x_coco.py", 6),
        ("mmdet::dino/dino-4scale_r50_8xb2-12e_coco.py", 1),
        ("mmdet::mask2former/mask2former_r50_8xb2-lsj-50e_coco.py", 2),
        ("mmdet::glip/glip_atss_swin-t_a_fpn_dyhead_pretrain_obj365.py", 0),
        ("mmseg::upernet/upernet_r50_4xb2-40k_cityscapes-512x1024.py", 2),
        ("mmseg::stdc/stdc1_4xb12-80k_cityscapes-512x1024.py", 3),
        ("mmseg::point_rend/pointrend_r50_4xb2-80k_cityscapes-512x1024.py", 2),
    ],
)
def test_heads_of_the_zoo_agree_with_the_classes_of_their_data(name, heads):
    cfg = Config.fromfile(find_config(name))
    assert len(list(head_counts(cfg.model))) >= heads
    assert check_heads(cfg.model, source_of(cfg)[0]) == []


def test_each_head_that_differs_is_named_with_the_option_that_changes_it():
    cfg = Config.fromfile(find_config("mmdet::cascade_rcnn/cascade-mask-rcnn_r50_fpn_1x_coco.py"))
    cfg.train_dataloader.dataset.metainfo = dict(classes=("a", "b"))
    [finding] = check_heads(cfg.model, source_of(cfg)[0])
    assert finding.count == 4
    for place in ("bbox_head.0", "bbox_head.1", "bbox_head.2", "mask_head"):
        assert f"model.roi_head.{place}.num_classes=2" in finding.remedy
    assert "rpn_head" not in finding.remedy


def test_the_value_that_is_ignored_is_the_heads():
    assert ignored_value(dict(decode_head=[dict(ignore_index=0), dict()])) == 0
    assert ignored_value(dict(decode_head=dict())) == 255
