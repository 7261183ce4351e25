"""A sample of the installed zoos over the families of algorithms: swapped, audited, run.

``tools/swap_coverage.py`` does the same with every config; see ``docs/swap-coverage.md``.
"""

import pytest

from mmfastervit import swap_backbone
from mmfastervit.config.tree import plain
from mmfastervit.swap import SwapAuditError, SwapRefusedError, plan_swap
from mmfastervit.swap.audit import audit
from mmfastervit.swap.check import check
from mmfastervit.swap.planning import Swap
from mmfastervit.swap.writing import write_config

DETECTORS = [
    "atss/atss_r50_fpn_1x_coco",
    "autoassign/autoassign_r50-caffe_fpn_1x_coco",
    "cascade_rcnn/cascade-mask-rcnn_r50_fpn_1x_coco",
    "centernet/centernet_r18_8xb16-crop512-140e_coco",
    "condinst/condinst_r50_fpn_ms-poly-90k_coco_instance",
    "convnext/mask-rcnn_convnext-t-p4-w7_fpn_amp-ms-crop-3x_coco",
    "deformable_detr/deformable-detr_r50_16xb2-50e_coco",
    "detr/detr_r50_8xb2-150e_coco",
    "dino/dino-4scale_r50_8xb2-12e_coco",
    "faster_rcnn/faster-rcnn_r50-caffe-dc5_1x_coco",
    "fcos/fcos_r50-caffe_fpn_gn-head_1x_coco",
    "gfl/gfl_r50_fpn_1x_coco",
    "hrnet/faster-rcnn_hrnetv2p-w18-1x_coco",
    "libra_rcnn/libra-faster-rcnn_r50_fpn_1x_coco",
    "mask2former/mask2former_swin-t-p4-w7-224_8xb2-lsj-50e_coco",
    "mask_rcnn/mask-rcnn_r50_fpn_1x_coco",
    "pafpn/faster-rcnn_r50_pafpn_1x_coco",
    "panoptic_fpn/panoptic-fpn_r50_fpn_1x_coco",
    "pvt/retinanet_pvt-t_fpn_1x_coco",
    "retinanet/retinanet_r50_fpn_1x_coco",
    "rtmdet/rtmdet_tiny_8xb32-300e_coco",
    "soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco",
    "solo/solo_r50_fpn_1x_coco",
    "sparse_rcnn/sparse-rcnn_r50_fpn_1x_coco",
    "tood/tood_r50_fpn_1x_coco",
    "vfnet/vfnet_r50_fpn_1x_coco",
    "yolact/yolact_r50_1xb8-55e_coco",
    "yolo/yolov3_d53_8xb8-320-273e_coco",
    "yolof/yolof_r50-c5_8xb8-1x_coco",
    "yolox/yolox_tiny_8xb8-300e_coco",
]
SEGMENTORS = [
    "ann/ann_r50-d8_4xb2-40k_cityscapes-512x1024",
    "convnext/convnext-tiny_upernet_8xb2-amp-160k_ade20k-512x512",
    "deeplabv3plus/deeplabv3plus_r50-d8_4xb2-40k_cityscapes-512x1024",
    "fastfcn/fastfcn_r50-d32_jpu_psp_4xb2-80k_cityscapes-512x1024",
    "fcn/fcn_r50-d8_4xb2-40k_cityscapes-512x1024",
    "hrnet/fcn_hr18_4xb2-40k_cityscapes-512x1024",
    "knet/knet-s3_r50-d8_fcn_8xb2-adamw-80k_ade20k-512x512",
    "mask2former/mask2former_r50_8xb2-90k_cityscapes-512x1024",
    "mobilenet_v2/mobilenet-v2-d8_pspnet_4xb2-80k_cityscapes-512x1024",
    "ocrnet/ocrnet_hr18_4xb2-40k_cityscapes-512x1024",
    "point_rend/pointrend_r50_4xb2-80k_cityscapes-512x1024",
    "segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512",
    "segnext/segnext_mscan-t_1xb16-adamw-160k_ade20k-512x512",
    "sem_fpn/fpn_r50_4xb2-80k_cityscapes-512x1024",
    "swin/swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_ade20k-512x512",
    "twins/twins_svt-s_fpn_fpnhead_8xb4-80k_ade20k-512x512",
]
CLASSIFIERS = ["convnext/convnext-tiny_32xb128_in1k", "resnet/resnet50_8xb32_in1k"]
ZOO = [
    *(f"mmdet::{name}.py" for name in DETECTORS),
    *(f"mmseg::{name}.py" for name in SEGMENTORS),
    *(f"mmpretrain::{name}.py" for name in CLASSIFIERS),
]
# One of each kind of backbone, neck and head, in `make test`; the others in `make test-all`.
QUICK = (
    "detr_r50", "faster-rcnn_r50-caffe-dc5", "mask-rcnn_r50", "retinanet_r50", "yolov3",
    "convnext-tiny_upernet", "ocrnet", "segformer", "resnet50_8xb32",
)  # fmt: skip
REFUSED = {
    "mmdet::cornernet/cornernet_hourglass104_8xb6-210e-mstest_coco.py": "HourglassNet",
    "mmdet::detectors/detectors_htc-r50_1x_coco.py": "DetectoRS_ResNet",
    "mmdet::faster_rcnn/faster-rcnn_r50-caffe_c4-1x_coco.py": "shared_head|last stage of ResNet",
    "mmdet::glip/glip_atss_swin-t_a_fpn_dyhead_16xb2_ms-2x_funtune_coco.py": "text tower",
    "mmdet::grounding_dino/grounding_dino_r50_scratch_8xb2_1x_coco.py": "text tower",
    "mmdet::ld/ld_r50-gflv1-r101_fpn_1x_coco.py": "distils",
    "mmdet::misc/d2_faster-rcnn_r50-caffe_fpn_ms-90k_coco.py": "detectron2",
    "mmdet::rtmdet/rtmdet_x_p6_4xb8-300e_coco.py": "stride 64",
    "mmdet::retinanet/retinanet_tta.py": "no model",
    "mmseg::bisenetv2/bisenetv2_fcn_4xb4-160k_cityscapes-1024x1024.py": "branches",
    "mmseg::san/san-vit-b16_coco-stuff164k-640x640.py": "CLIP",
    "mmseg::unet/unet-s5-d16_fcn_4xb4-40k_drive-64x64.py": "encoder and decoder",
    "mmseg::vit/vit_vit-b16_mln_upernet_8xb2-80k_ade20k-512x512.py": "plain vision transformer",
}


def test_the_sample_is_large_enough():
    assert len(ZOO) >= 40


def marked(names):
    quick = {name for name in names if name.rpartition("/")[2].startswith(QUICK)}
    assert len(quick) == len(QUICK)
    return [pytest.param(n, marks=() if n in quick else pytest.mark.slow) for n in names]


@pytest.mark.parametrize("name", marked(ZOO))
def test_swapped_model_reads_the_right_maps_and_takes_both_steps(name, tiny_arch, tmp_path):
    swap = plan_swap(name, tiny_arch)
    write_config(swap, name, tmp_path / "swapped.py")
    assert any("inference" in line for line in check(swap))


@pytest.mark.parametrize(("name", "reason"), REFUSED.items(), ids=list(REFUSED))
def test_what_cannot_be_swapped_is_refused_with_the_reason(name, reason):
    with pytest.raises(SwapRefusedError, match=reason):
        plan_swap(name, "fastervit_0")


def test_audit_finds_a_neck_that_reads_one_level_too_far():
    swap = plan_swap("mmdet::retinanet/retinanet_r50_fpn_1x_coco.py", "fastervit_0")
    changes = list(swap.changes)
    where = [change.key for change in changes].index("model.backbone")
    backbone = {**changes[where].now, "out_indices": (0, 1, 2)}
    changes[where] = type(changes[where])(("model", "backbone"), {}, backbone, "")
    neck = type(changes[where])(("model", "neck", "in_channels"), [], [64, 128, 256], "")
    with pytest.raises(SwapAuditError, match="read strides"):
        audit(Swap(swap.original, (*changes, neck), (), swap.model_path))


def test_original_is_not_changed_and_published_weights_are_the_default():
    from mmengine.config import Config

    from mmfastervit.config.finding import read_config

    original = read_config("mmdet::retinanet/retinanet_r50_fpn_1x_coco.py")
    before = plain(original.to_dict())
    swapped = swap_backbone(original, "fastervit_2", backbone_options=dict(drop_path_rate=0.1))
    assert isinstance(swapped, Config)
    assert plain(original.to_dict()) == before
    assert swapped.model.backbone.init_cfg.checkpoint == "mmfastervit://fastervit_2_224_1k"
    assert swapped.model.backbone.drop_path_rate == 0.1
    assert swapped.optim_wrapper.optimizer.type == "AdamW"


def test_weights_optimizer_and_options_are_the_users():
    swapped = swap_backbone(
        "mmdet::retinanet/retinanet_r50_fpn_1x_coco.py",
        "fastervit_0",
        pretrained="none",
        keep_optimizer=True,
    )
    assert "init_cfg" not in swapped.model.backbone
    assert swapped.optim_wrapper.optimizer.type == "SGD"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (dict(arch="fastervit_9"), ValueError, "fastervit_0"),
        (dict(pretrained="mmfastervit://fastervit_1_224_1k"), ValueError, "does not fit"),
        (dict(backbone_options=dict(drop_path=0.1)), TypeError, "drop_path_rate"),
    ],
)
def test_mistakes_are_named_with_what_is_accepted(options, error, message):
    with pytest.raises(error, match=message):
        swap_backbone(
            "mmdet::retinanet/retinanet_r50_fpn_1x_coco.py", **{"arch": "fastervit_0", **options}
        )
