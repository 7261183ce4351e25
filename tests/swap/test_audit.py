"""The audit looks at the built models: a rule that is wrong cannot hide behind itself."""

from dataclasses import replace

import pytest
from mmengine.registry import MODELS

from mmfastervit.config.tree import plain
from mmfastervit.swap import Outcome, SwapAuditError, plan_swap
from mmfastervit.swap import planning as swap_planning
from mmfastervit.swap.audit import audit, watch
from mmfastervit.swap.rules import RULES, readers
from mmfastervit.swap.zoo import READERS, Reader

RETINANET = "mmdet::retinanet/retinanet_r50_fpn_1x_coco.py"
FASTER_RCNN = "mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py"
UPERNET = "mmseg::swin/swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_ade20k-512x512.py"
ENCNET = "mmseg::encnet/encnet_r50-d8_4xb2-40k_cityscapes-512x1024.py"
DETR = "mmdet::detr/detr_r50_8xb2-150e_coco.py"


@pytest.fixture
def break_readers(monkeypatch):
    """Let the readers' rule set other values, by key, than it should."""

    def break_by(**values):
        def rule(context):
            outcome = readers.rule(context)
            wrong = {key.replace("__", "."): value for key, value in values.items()}
            changes = [
                replace(change, now=wrong.pop(change.key, change.now)) for change in outcome.changes
            ]
            assert not wrong, f"the rule changes no {wrong}"
            return Outcome(changes, outcome.notes)

        rules = [rule if one is readers.rule else one for one in RULES]
        monkeypatch.setattr(swap_planning, "RULES", rules)

    return break_by


def test_a_neck_that_is_known_to_read_other_maps_is_caught(monkeypatch, tiny_arch):
    monkeypatch.setitem(READERS, "FPN", Reader(reads=lambda neck, count: (0, 1, 2)))
    swap = plan_swap(RETINANET, tiny_arch)
    with pytest.raises(SwapAuditError, match=r"bbox_head read strides \[8, .*, and now \[4, "):
        audit(swap)


def test_an_index_that_is_off_by_one_is_caught_though_its_channels_agree(break_readers, tiny_arch):
    break_readers(model__auxiliary_head__in_channels=16)
    swap = plan_swap(UPERNET, tiny_arch)
    index = ("model", "auxiliary_head", "in_index")
    swap = replace(swap, changes=(*swap.changes, replace(swap.changes[0], path=index, now=1)))
    with pytest.raises(SwapAuditError, match=r"auxiliary_head read strides \[16\], and now \[8\]"):
        audit(swap)


def test_channels_that_are_not_those_of_the_map_are_caught(break_readers, tiny_arch):
    break_readers(model__decode_head__in_channels=[8, 16, 64, 32])
    with pytest.raises(SwapAuditError, match="decode_head cannot run any more"):
        audit(plan_swap(UPERNET, tiny_arch))


def test_a_map_that_is_no_longer_read_is_caught(tiny_arch):
    swap = plan_swap(FASTER_RCNN, tiny_arch)
    path = ("model", "roi_head", "bbox_roi_extractor", "featmap_strides")
    swap = replace(swap, changes=(*swap.changes, replace(swap.changes[0], path=path, now=[4, 8])))
    with pytest.raises(SwapAuditError, match="bbox_roi_extractor read 4 maps, and now 2"):
        audit(swap)


def test_a_model_that_cannot_be_built_is_a_wrong_result(tiny_arch):
    swap = plan_swap(RETINANET, tiny_arch)
    path = ("model", "neck", "in_channels")
    swap = replace(swap, changes=(*swap.changes, replace(swap.changes[0], path=path, now=[9])))
    with pytest.raises(SwapAuditError, match="cannot be built and run"):
        audit(swap)


@pytest.mark.parametrize(
    ("name", "reads"),
    [
        (RETINANET, {"bbox_head": [0, 1, 2, 3, 4]}),
        (FASTER_RCNN, {"rpn_head": [0, 1, 2, 3, 4], "roi_head.bbox_roi_extractor": [0, 1, 2, 3]}),
        (UPERNET, {"decode_head": [0, 1, 2, 3], "auxiliary_head": [2]}),
        (DETR, {"pre_transformer": [0]}),
        (ENCNET, {"decode_head": [1], "auxiliary_head": [0]}),
    ],
)
def test_what_is_seen_is_what_the_heads_make_something_of(name, reads, tiny_arch):
    swap = plan_swap(name, tiny_arch)
    model = plain(swap.config.model.to_dict())
    seen = watch(model, swap.config.default_scope)
    assert seen.reads == reads
    assert bool(audit(swap)) == (name == ENCNET)  # which was dilated, as is stated


def test_watching_leaves_the_config_as_it_was(tiny_arch):
    model = plain(plan_swap(DETR, tiny_arch).config.model.to_dict())
    before = plain(model)
    watch(model, "mmdet")
    assert model == before
    assert MODELS.get("mmfastervit.FasterViT") is not None


def test_a_map_that_nothing_reads_is_caught(tiny_arch):
    """In distributed training its norm, which gets no gradient, would stop the run."""
    swap = plan_swap(RETINANET, tiny_arch)
    wrong = [
        replace(swap.changes[0], path=("model", *path), now=now)
        for path, now in (
            (("backbone", "out_indices"), (0, 1, 2, 3)),
            (("neck", "in_channels"), [8, 16, 32, 64]),
            (("neck", "start_level"), 1),
        )
    ]
    with pytest.raises(SwapAuditError, match=r"maps \[0\] of the new backbone are read by nothing"):
        audit(replace(swap, changes=(*swap.changes, *wrong)))


@pytest.mark.parametrize(
    ("key", "now", "message"),
    [("in_index", [2], "read strides"), ("in_channels", [999], r"\[999\] declared")],
)
def test_a_head_that_wants_the_output_of_another_is_watched_too(key, now, message, tiny_arch):
    name = "mmseg::point_rend/pointrend_r50_4xb2-80k_cityscapes-512x1024.py"
    swap = plan_swap(name, tiny_arch)
    assert audit(swap) == []
    head = swap.config.model.decode_head[1]
    heads = [swap.config.model.decode_head[0], {**head, key: now}]
    wrong = replace(swap.changes[0], path=("model", "decode_head"), now=heads)
    with pytest.raises(SwapAuditError, match=message):
        audit(replace(swap, changes=(*swap.changes, wrong)))


def test_a_model_whose_original_cannot_be_built_is_compared_after_the_neck(tiny_arch):
    """CascadeRPNHead of mmdet 3.3 lacks an argument that its base class asks for."""
    swap = plan_swap("mmdet::cascade_rpn/cascade-rpn_r50-caffe_fpn_1x_coco.py", tiny_arch)
    (line,) = audit(swap)
    assert "original cannot be built here" in line
    wrong = [
        replace(swap.changes[0], path=("model", *path), now=now)
        for path, now in (
            (("backbone", "out_indices"), (1, 2)),
            (("neck", "in_channels"), [16, 32]),
        )
    ]
    with pytest.raises(SwapAuditError, match="strides"):
        audit(replace(swap, changes=(*swap.changes, *wrong)))
