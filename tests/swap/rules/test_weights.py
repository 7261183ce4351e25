"""Checkpoints and runs of the old model go, and only they."""

from mmfastervit.swap.rules.weights import drop_checkpoints, forget_names, leave_old_run


def values(changes) -> dict:
    return {change.key: change.now for change in changes}


def test_a_run_of_the_old_model_is_neither_resumed_nor_written_over():
    found = values(leave_old_run(dict(resume=True, work_dir="work_dirs/old")))
    assert found == dict(resume=False, work_dir=None)
    assert leave_old_run(dict(resume=False, work_dir=None)) == []


def test_weights_of_the_old_model_are_dropped_wherever_they_are_named():
    cfg = dict(
        load_from="detector.pth",
        checkpoint_file="backbone.pth",
        data_root="data/",
        model=dict(
            pretrained="open-mmlab://resnet50",
            detector=dict(init_cfg=dict(type="Pretrained", checkpoint="whole.pth")),
        ),
    )
    found = values(drop_checkpoints(cfg, ("model", "detector")))
    assert found == {"load_from": None, "model.pretrained": None, "model.detector.init_cfg": None}
    names = forget_names(cfg, [dict(type="Pretrained", checkpoint="backbone.pth")])
    assert values(names) == dict(checkpoint_file=None)
