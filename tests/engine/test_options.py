"""What the command-line options do to a config."""

import re
from pathlib import Path

import pytest
import torch
from support.small_config import DET_PIPELINE, SEG_PIPELINE, small_config

from mmfastervit.engine import options
from mmfastervit.engine.options import (
    dump_predictions,
    enable_amp,
    enable_auto_scale_lr,
    enable_tta,
    enable_visualization,
    load_config,
    set_randomness,
    set_resume,
    settle_precision,
)


def write_config(folder: Path, text: str = "train_cfg = dict(max_epochs=1)\n") -> str:
    path = folder / "little.py"
    path.write_text(text)
    return str(path)


class TestLoadConfig:
    def test_work_dir_is_the_options_then_the_configs_then_named_after_the_config(self, tmp_path):
        bare = write_config(tmp_path)
        assert Path(load_config(bare).work_dir) == Path("work_dirs/little")
        own = write_config(tmp_path, 'work_dir = "mine"\n')
        assert load_config(own).work_dir == "mine"
        assert load_config(own, work_dir="other").work_dir == "other"

    def test_options_reach_nested_values_and_list_items(self, tmp_path):
        path = write_config(tmp_path, "model = dict(heads=[dict(a=1), dict(a=2)])\n")
        cfg = load_config(path, {"model.heads.1.a": 3, "randomness.deterministic": True})
        assert [head.a for head in cfg.model.heads] == [1, 3]
        assert cfg.randomness.deterministic is True

    def test_reads_a_config_of_an_installed_package(self):
        cfg = load_config("mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py", launcher="slurm")
        assert cfg.model.type == "FasterRCNN"
        assert cfg.launcher == "slurm"
        assert Path(cfg.work_dir).name == "faster-rcnn_r50_fpn_1x_coco"

    @pytest.mark.parametrize(
        "text", ["model = dict(", "raise KeyError('x')", "_base_ = 'nothing.py'", "a = dict(1, 2)"]
    )
    def test_a_config_that_cannot_be_read_is_named(self, tmp_path, text):
        with pytest.raises(ValueError, match=r"mmengine can't read the config .*little\.py: "):
            load_config(write_config(tmp_path, text))

    def test_an_option_for_an_unknown_section_is_refused(self, tmp_path):
        with pytest.raises(ValueError, match="did you mean 'train_cfg'"):
            load_config(write_config(tmp_path), {"trian_cfg.max_epochs": 1})

    @pytest.mark.parametrize(
        ("option", "value", "message"),
        [
            ("model.heads.5.a", 1, "model.heads.5: model.heads is a list, of items 0 to 0"),
            ("model.heads.x.a", 1, "model.heads.x: model.heads is a list, of items 0 to 0"),
            ("model.depth.a", 1, "model.depth is 3 in the config, which has nothing below it"),
            ("model.name", dict(a=1), "model.name is 'x' in the config, which has nothing below"),
            ("model.neck.a.b", 1, "is None in the config; give all of it: 'model.neck=dict(a=..."),
            ("model", {1: 2}, "model.1: a key below it is no name"),
            ("model.heads.0", 3, "model.heads.0: a key below it is no name, or an item of a list"),
        ],
    )
    def test_an_option_that_does_not_fit_is_refused(self, tmp_path, option, value, message):
        text = "model = dict(heads=[dict(a=1)], depth=3, name='x', neck=None)\n"
        with pytest.raises(ValueError, match=rf"^--cfg-options .*{re.escape(message)}"):
            load_config(write_config(tmp_path, text), {option: value})

    @pytest.mark.parametrize("key", ["model.neck", "model.heads.0.norm"])
    def test_a_whole_dict_takes_the_place_of_none(self, tmp_path, key):
        text = "model = dict(heads=[dict(norm=None)], neck=None)\n"
        cfg = load_config(write_config(tmp_path, text), {key: dict(type="BN", eps=1)})
        filled = cfg.model.neck or cfg.model.heads[0].norm
        assert filled == dict(type="BN", eps=1)

    @pytest.mark.parametrize(
        ("base", "kind"), [("None", "None"), ("'x'", "str 'x'"), ("3", "int 3")]
    )
    def test_a_dict_on_what_is_none_is_told_with_file_and_key(self, tmp_path, base, kind):
        (tmp_path / "base.py").write_text(f"model = dict(neck=dict(norm={base}))\n")
        (tmp_path / "middle.py").write_text(
            "_base_ = 'base.py'\nmodel = dict(neck=dict(norm=dict(type='BN')))\n"
        )
        path = write_config(tmp_path, "_base_ = 'middle.py'\n")
        with pytest.raises(
            ValueError, match=rf"middle\.py: model\.neck\.norm is .*, and {kind} in"
        ):
            load_config(path)
        (tmp_path / "middle.py").write_text(
            "_base_ = 'base.py'\nmodel = dict(neck=dict(norm=dict(_delete_=True, type='BN')))\n"
        )
        assert load_config(path).model.neck.norm.type == "BN"


class TestPrecision:
    def test_amp_switches_to_a_dynamic_loss_scale(self):
        cfg = small_config()
        enable_amp(cfg)
        assert cfg.optim_wrapper.type == "AmpOptimWrapper"
        assert cfg.optim_wrapper.loss_scale == "dynamic"

    def test_amp_leaves_a_mixed_precision_config_as_it_is(self):
        wrapper = dict(type="AmpOptimWrapper", loss_scale=512.0)
        cfg = small_config(optim_wrapper=wrapper)
        enable_amp(cfg)
        assert cfg.optim_wrapper.to_dict() == wrapper

    @pytest.mark.parametrize("wrapper", [dict(type="ApexOptimWrapper"), None])
    def test_amp_refuses_other_wrappers(self, wrapper):
        with pytest.raises(ValueError, match="optim_wrapper"):
            enable_amp(small_config(optim_wrapper=wrapper))

    def test_mixed_precision_without_gpu_says_what_to_do(self, monkeypatch):
        monkeypatch.setattr(options, "has_accelerator", lambda: False)
        cfg = small_config(optim_wrapper=dict(type="AmpOptimWrapper"))
        with pytest.raises(ValueError, match=r"--cfg-options optim_wrapper\.type=OptimWrapper"):
            settle_precision(cfg)

    def test_mixed_precision_with_gpu_is_kept(self, monkeypatch):
        monkeypatch.setattr(options, "has_accelerator", lambda: True)
        cfg = small_config(optim_wrapper=dict(type="AmpOptimWrapper", loss_scale="dynamic"))
        settle_precision(cfg)
        assert cfg.optim_wrapper.loss_scale == "dynamic"

    def test_full_precision_by_the_type_alone(self):
        cfg = small_config(
            optim_wrapper=dict(type="OptimWrapper", loss_scale="dynamic", dtype="float16", a=1)
        )
        settle_precision(cfg)
        assert cfg.optim_wrapper.to_dict() == dict(type="OptimWrapper", a=1)


class TestTrainingOptions:
    def test_auto_scale_lr_needs_a_base_batch_size_only(self):
        cfg = small_config(auto_scale_lr=dict(base_batch_size=16))
        enable_auto_scale_lr(cfg)
        assert cfg.auto_scale_lr.enable is True

    @pytest.mark.parametrize("settings", [None, dict(enable=False)])
    def test_auto_scale_lr_without_base_batch_size_is_refused(self, settings):
        with pytest.raises(ValueError, match="base_batch_size"):
            enable_auto_scale_lr(small_config(auto_scale_lr=settings))

    def test_resume_from_a_path(self, tmp_path):
        cfg = small_config(work_dir=str(tmp_path), load_from="start.pth")
        set_resume(cfg, "middle.pth")
        assert (cfg.resume, cfg.load_from) == (True, "middle.pth")

    @pytest.mark.parametrize(("own", "option"), [(False, "auto"), (True, None)])
    def test_automatic_resume_goes_before_the_start_checkpoint(self, own, option, tmp_path):
        start = None if own else "start.pth"
        checkpoint = dict(meta=dict(iter=3), optimizer={}, state_dict={})
        torch.save(checkpoint, tmp_path / "epoch_1.pth")
        (tmp_path / "last_checkpoint").write_text("/elsewhere/epoch_7.pth")
        cfg = small_config(work_dir=str(tmp_path), resume=own, load_from=start)
        set_resume(cfg, option)
        assert (cfg.resume, cfg.load_from) == (True, str(tmp_path / "epoch_1.pth"))

    def test_automatic_resume_finds_checkpoints_kept_elsewhere(self, tmp_path):
        kept = tmp_path / "kept/run"
        kept.mkdir(parents=True)
        torch.save(dict(meta=dict(iter=3), optimizer={}), kept / "iter_3.pth")
        hooks = dict(checkpoint=dict(type="CheckpointHook", out_dir=str(tmp_path / "kept")))
        cfg = small_config(work_dir=str(tmp_path / "run"), default_hooks=hooks)
        set_resume(cfg, "auto")
        assert cfg.load_from == str(kept / "iter_3.pth")

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (dict(meta=dict(iter=3), state_dict={}), "holds no state of an optimizer"),
            (None, "not a complete checkpoint file"),
        ],
    )
    def test_a_file_that_no_run_can_go_on_from_is_named(self, content, message, tmp_path):
        path = tmp_path / "best.pth"
        torch.save(content, path)
        if content is None:
            path.write_bytes(path.read_bytes()[:100])
        with pytest.raises(ValueError, match=f"best.pth.* {message}|best.pth is {message}"):
            set_resume(small_config(), str(path))

    def test_automatic_resume_without_checkpoint_keeps_the_start_checkpoint(self, tmp_path):
        cfg = small_config(work_dir=str(tmp_path), load_from="start.pth")
        set_resume(cfg, "auto")
        assert (cfg.resume, cfg.load_from) == (False, "start.pth")

    def test_without_the_option_the_configs_own_choice_stays(self):
        cfg = small_config(resume=True, load_from="own.pth")
        set_resume(cfg, None)
        assert (cfg.resume, cfg.load_from) == (True, "own.pth")

    def test_seed_keeps_other_randomness_settings(self):
        cfg = small_config(randomness=dict(seed=1, deterministic=True))
        set_randomness(cfg, 5, deterministic=False)
        assert cfg.randomness.to_dict() == dict(seed=5, deterministic=True)

    def test_deterministic_keeps_the_seed_of_the_config(self):
        cfg = small_config(randomness=dict(seed=1))
        set_randomness(cfg, None, deterministic=True)
        assert cfg.randomness.to_dict() == dict(seed=1, deterministic=True)


class TestTestOptions:
    def test_detections_are_drawn_into_the_folder_itself(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        cfg = small_config()
        enable_visualization(cfg, "pictures")
        assert cfg.default_hooks.visualization.to_dict() == dict(
            type="DetVisualizationHook", draw=True, test_out_dir=str(tmp_path / "pictures")
        )

    @pytest.mark.parametrize("backends", [None, [dict(type="LocalVisBackend")], []])
    def test_each_segmentation_is_drawn_into_the_folder_itself(self, tmp_path, backends):
        visualizer = {} if backends is None else dict(visualizer=dict(vis_backends=backends))
        cfg = small_config(default_scope="mmseg", **visualizer)
        enable_visualization(cfg, str(tmp_path))
        hook = cfg.default_hooks.visualization
        assert (hook.type, hook.draw, hook.interval) == ("SegVisualizationHook", True, 1)
        assert [dict(backend) for backend in cfg.visualizer.vis_backends] == [
            dict(type="LocalVisBackend", img_save_dir=str(tmp_path))
        ]

    def test_drawing_for_another_package_is_refused(self):
        with pytest.raises(ValueError, match="mmpretrain"):
            enable_visualization(small_config(default_scope="mmpretrain"), "pictures")

    @pytest.mark.parametrize(
        ("scope", "kind"), [("mmdet", "DumpDetResults"), ("mmseg", "DumpResults")]
    )
    @pytest.mark.parametrize(
        "own", [dict(type="A"), [dict(type="A")], dict(metrics=dict(type="A"))]
    )
    def test_predictions_are_dumped_besides_the_metrics(self, scope, kind, own):
        cfg = small_config(default_scope=scope, test_evaluator=own)
        dump_predictions(cfg, "o.pkl")
        evaluator = cfg.test_evaluator
        metrics = evaluator.metrics if isinstance(evaluator, dict) else evaluator
        assert [metric["type"] for metric in metrics] == ["A", kind]
        assert metrics[-1]["out_file_path"] == "o.pkl"


class TestTestTimeAugmentation:
    def test_the_configs_own_is_used(self):
        cfg = small_config(tta_model=dict(type="Mine", a=1), tta_pipeline=[dict(type="View")])
        enable_tta(cfg)
        assert (cfg.model.type, cfg.model.a, cfg.model.module.type) == ("Mine", 1, "Detector")
        assert cfg.test_dataloader.dataset.pipeline == [dict(type="View")]

    def test_default_merges_boxes_as_the_detector_does(self):
        cfg = small_config()
        enable_tta(cfg)
        assert cfg.model.type.endswith(".InstanceTTAModel")
        assert cfg.model.tta_cfg.to_dict() == dict(nms=dict(type="nms"), max_per_img=7)

    def test_default_views_are_flipped_before_padding_and_annotations(self):
        cfg = small_config()
        enable_tta(cfg)
        *head, views = cfg.test_dataloader.dataset.pipeline
        assert [step.type for step in head] == ["LoadImageFromFile", "Resize"]
        flips, *rest = views.transforms
        assert [flip.prob for flip in flips] == [0.0, 1.0]
        assert [step.type for (step,) in rest] == ["Pad", "LoadAnnotations", "PackDetInputs"]
        assert rest[-1][0].meta_keys == ("img_id", "flip", "flip_direction")

    def test_default_for_segmentation_reaches_a_wrapped_dataset(self):
        leaf = dict(type="ADE20KDataset", pipeline=SEG_PIPELINE)
        dataset = dict(type="ConcatDataset", datasets=[leaf, dict(leaf)])
        cfg = small_config(default_scope="mmseg", test_dataloader=dict(dataset=dataset))
        enable_tta(cfg)
        assert cfg.model.type == "SegTTAModel"
        for inner in cfg.test_dataloader.dataset.datasets:
            assert [step["type"] for step in inner["pipeline"]] == [
                "LoadImageFromFile",
                "TestTimeAug",
            ]

    @pytest.mark.parametrize(
        "model",
        [
            dict(type="SOLOv2", mask_head=dict(type="M")),
            dict(type="Mask2Former", panoptic_head=dict(type="M")),
            dict(type="PanopticFPN", roi_head=dict(type="R"), semantic_head=dict(type="S")),
        ],
        ids=lambda model: model["type"],
    )
    def test_detectors_without_boxes_to_merge_by_have_no_default(self, model):
        with pytest.raises(ValueError, match=f"{model['type']} finds .*: test it without --tta"):
            enable_tta(small_config(model=model))

    @pytest.mark.parametrize(
        "model",
        [
            dict(roi_head=dict(mask_head=dict(type="M"))),
            dict(bbox_head=dict(type="B"), mask_head=dict(type="M")),
            dict(mask_head=None, roi_head=dict(mask_head=None)),
        ],
        ids=["two stages", "one stage", "taken out"],
    )
    def test_masks_with_boxes_are_merged_by_them(self, model):
        cfg = small_config(model=model)
        enable_tta(cfg)
        assert cfg.model.type.endswith(".InstanceTTAModel")

    @pytest.mark.parametrize(
        ("views", "warned"),
        [
            (
                [dict(type="Resize", scale=(1024, 256)), dict(type="Resize", scale=(2048, 512))],
                True,
            ),
            (
                [dict(type="Resize", scale=(1024, 256)), dict(type="Resize", scale=(320, 240))],
                False,
            ),
            ([dict(type="Resize", scale_factor=0.5)], False),
            ([], False),
        ],
        ids=["others", "its own among them", "multiples of the picture's", "flips alone"],
    )
    def test_views_without_the_size_of_the_tests_are_remarked_on(self, views, warned, monkeypatch):
        told = []
        monkeypatch.setattr(options, "print_log", lambda message, *_: told.append(message))
        steps = [dict(type="Resize", scale=(320, 240)), dict(type="PackDetInputs")]
        leaf = dict(type="CocoDataset", pipeline=steps)
        dataset = dict(type="ConcatDataset", datasets=[leaf, dict(leaf)])
        own = [dict(type="TestTimeAug", transforms=[views])] if views else None
        enable_tta(small_config(tta_pipeline=own, test_dataloader=dict(dataset=dataset)))
        assert told == warned * [
            "--tta: no view has the size of the test pipeline, 320x240; they have 1024x256, "
            "2048x512: set tta_pipeline to sizes around the test's"
        ]

    def test_other_packages_have_no_default(self):
        with pytest.raises(ValueError, match="mmpretrain"):
            enable_tta(small_config(default_scope="mmpretrain"))

    def test_a_pipeline_without_packing_is_refused(self):
        dataset = dict(type="CocoDataset", pipeline=DET_PIPELINE[:-1])
        with pytest.raises(ValueError, match="Pack"):
            enable_tta(small_config(test_dataloader=dict(dataset=dataset)))


def test_a_variable_that_the_file_has_used_is_not_changed_in_silence(tmp_path):
    file = tmp_path / "own.py"
    file.write_text(
        'size = (320, 240)\nmodel = dict(type="A", scale=size)\nnote = "read by nobody else"\n'
    )
    with pytest.raises(ValueError, match=r"size: .*used this variable already.* model\.scale"):
        load_config(str(file), dict(size=(64, 64)))
    assert load_config(str(file), dict(note="changed")).note == "changed"
    assert load_config(str(file), {"model.scale": (64, 64)}).model.scale == (64, 64)
