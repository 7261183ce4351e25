"""Operations and parameters of whole models are what their formulas say."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config, ConfigDict
from support.little_runs import little_run
from torch import nn

from mmfastervit.bench.flops import Cost, cost_of
from mmfastervit.bench.measure import operations_by_kind
from mmfastervit.commands.flops import lines

SWIN_T = dict(
    type="SwinTransformer", embed_dims=96, depths=[2, 2, 6, 2], num_heads=[3, 6, 12, 24],
    window_size=7, out_indices=(1, 2, 3),
)  # fmt: skip


def detector(**changes) -> Config:
    """The little detector, its model changed."""
    content = little_run("det", Path("nowhere"))
    content["model"].update(changes)
    return Config(content)


def segmentor(**changes) -> Config:
    content = little_run("seg", Path("nowhere"))
    content["model"].update(changes)
    return Config(content)


def swin_multiply_adds(height: int, width: int) -> float:
    """Of Swin-T, by the equations of the paper (arXiv 2103.14030, 1 and 2), in 10**9."""
    channels, window, total = 96, 7, 0
    h, w = height // 4, width // 4
    total += h * w * (4 * 4 * 3) * channels  # patches
    for stage, depth in enumerate((2, 2, 6, 2)):
        attention = 4 * h * w * channels**2 + 2 * window**2 * h * w * channels
        total += depth * (attention + 8 * h * w * channels**2)
        if stage < 3:
            h, w = h // 2, w // 2
            total += h * w * (4 * channels) * (2 * channels)  # merging
            channels *= 2
    return total / 1e9


def test_swin_t_costs_what_its_paper_says():
    neck = dict(type="FPN", in_channels=[192, 384, 768], out_channels=16, num_outs=3)
    cost = cost_of(detector(backbone=SWIN_T, neck=neck), (224, 224))
    expected = swin_multiply_adds(224, 224)
    assert expected == pytest.approx(4.5, rel=0.02)  # the paper's table
    assert cost.gflops["backbone"] / 2 == pytest.approx(expected, rel=0.005)
    assert cost.parameters["backbone"] == pytest.approx(28.3e6, rel=0.03)  # with a head of classes


@pytest.mark.parametrize("cfg", [detector(), segmentor()], ids=["det", "seg"])
def test_the_parts_add_up_to_the_whole(cfg):
    once, cost, thrice = (cost_of(cfg, (64, 96), batch=number) for number in (1, 2, 3))
    for numbers in (cost.gflops, cost.parameters):
        parts = [number for name, number in numbers.items() if name and "." not in name]
        assert sum(parts) == pytest.approx(numbers[""])
    assert cost.images[0] == 2
    # tables of positions are computed once for all images
    one_more = thrice.gflops[""] - cost.gflops[""]
    assert one_more == pytest.approx(cost.gflops[""] - once.gflops[""])
    assert 0 < one_more < once.gflops[""]
    assert cost.parameters == once.parameters


def test_a_part_in_depth_is_counted_by_hand():
    """The shared convolution of the head: 3x3, of 16 channels to 16, over three levels."""
    cost = cost_of(detector(), (64, 64))
    pixels = 8 * 8 + 4 * 4 + 2 * 2
    expected = 2 * pixels * 16 * 16 * 9 / 1e9
    assert cost.gflops["bbox_head.cls_convs.0.conv"] == pytest.approx(expected)


def test_an_image_is_padded_as_the_detector_pads_it():
    assert cost_of(detector(), (40, 50)).images == (1, 3, 64, 64)


def test_a_batch_of_other_channels():
    backbone = dict(detector().model.backbone, in_channels=6)
    preprocessor = dict(type="DetDataPreprocessor", pad_size_divisor=32)
    cost = cost_of(detector(backbone=backbone, data_preprocessor=preprocessor), (64, 64))
    assert cost.images == (1, 6, 64, 64)


def test_regions_of_a_second_stage_are_told():
    head = dict(
        type="StandardRoIHead",
        bbox_roi_extractor=dict(
            type="SingleRoIExtractor", roi_layer=dict(type="RoIAlign", output_size=7),
            out_channels=16, featmap_strides=[8, 16, 32],
        ),
        bbox_head=dict(
            type="Shared2FCBBoxHead", in_channels=16, fc_out_channels=32, roi_feat_size=7,
            num_classes=3, bbox_coder=dict(type="DeltaXYWHBBoxCoder"),
        ),
    )  # fmt: skip
    rpn = dict(
        type="RPNHead", in_channels=16, feat_channels=16,
        anchor_generator=dict(
            type="AnchorGenerator", scales=[4], ratios=[1.0], strides=[8, 16, 32]
        ),
    )  # fmt: skip
    nms = dict(type="nms", iou_threshold=1.0)
    proposals = ConfigDict(nms_pre=50, max_per_img=20, nms=nms, min_bbox_size=0)
    cfg = detector(
        type="FasterRCNN",
        rpn_head=rpn,
        roi_head=head,
        train_cfg=dict(rpn=None, rpn_proposal=None, rcnn=None),
        test_cfg=dict(rpn=proposals, rcnn=dict(score_thr=0.0, nms=nms, max_per_img=5)),
    )
    cfg.model.pop("bbox_head")
    cost = cost_of(cfg, (64, 64), batch=2)
    assert cost.seen == {"roi_head.bbox_head": 40}
    assert "propose them: roi_head.bbox_head 40" in "\n".join(lines(cost, 1))
    expected = 2 * 40 * (16 * 49 * 32 + 32 * 32 + 32 * 4 + 32 * 12) / 1e9
    assert cost.gflops["roi_head.bbox_head"] == pytest.approx(expected)


def test_windows_that_slide_are_all_counted():
    test_cfg = dict(mode="slide", crop_size=(64, 64), stride=(64, 64))
    preprocessor = dict(type="SegDataPreProcessor", size_divisor=32, seg_pad_val=255)
    cfg = segmentor(test_cfg=test_cfg, data_preprocessor=preprocessor)
    costs = [cost_of(cfg, (64, 64 * windows)) for windows in (1, 2, 3)]
    assert [cost.calls for cost in costs] == [1, 2, 3]
    first, second, third = (cost.gflops[""] for cost in costs)
    # tables of positions are kept from the first
    assert third - second == pytest.approx(second - first)
    assert 0 < third - second < first
    assert "called 2 times" in "\n".join(lines(costs[1], 1))


def test_deformable_convolutions_are_counted():
    def resnet(**options):
        return dict(type="ResNet", depth=50, out_indices=(1, 2, 3), style="pytorch", **options)

    neck = dict(type="FPN", in_channels=[512, 1024, 2048], out_channels=16, num_outs=3)
    plain = cost_of(detector(backbone=resnet(), neck=neck), (64, 64))
    dcn = dict(type="DCNv2", deform_groups=1, fallback_on_stride=False)
    stages = (False, False, False, True)
    bent = cost_of(detector(backbone=resnet(dcn=dcn, stage_with_dcn=stages), neck=neck), (64, 64))
    offsets = sum(number for name, number in bent.gflops.items() if name.endswith("conv_offset"))
    assert offsets > 0
    assert bent.gflops["backbone"] == pytest.approx(plain.gflops["backbone"] + offsets)
    assert bent.gflops[""] == pytest.approx(plain.gflops[""] + offsets)


@torch.no_grad()
def test_attention_of_torch_is_counted_in_eval_too():
    """There torch takes one fused operation of which its counter knows nothing."""
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True).eval()
    tokens = torch.randn(3, 10, 16)
    found = operations_by_kind(lambda: layer(tokens))
    linear = 3 * 10 * (16 * 48 + 16 * 16 + 2 * 16 * 32)
    assert sum(found.values()) == pytest.approx(2 * (linear + 2 * 3 * 10 * 10 * 16) / 1e9)
    assert torch.backends.mha.get_fastpath_enabled()


def test_the_table_says_what_is_counted():
    gflops = {"": 3.0, "backbone": 2.0, "backbone.a": 1.0, "head": 1.0}
    cost = Cost(gflops, {"": 30, "backbone": 20, "head": 10}, (1, 3, 8, 8), {}, 1)
    table = "\n".join(lines(cost, 1))
    assert "backbone.a" not in table
    assert "1 of 3x8x8" in table
    assert "multiplications and additions" in table
    assert "1.50 G" in table
    assert "backbone.a" in "\n".join(lines(cost, 2))


def test_other_packages_are_refused():
    with pytest.raises(ValueError, match="'mmpretrain'; the count is for mmdet and mmseg"):
        cost_of(Config(dict(default_scope="mmpretrain", model=dict(type="A"))), (8, 8))
