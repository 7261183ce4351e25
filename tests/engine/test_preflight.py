"""Missing inputs are found before a run, all at once, with their keys and remedies."""

import copy

import pytest
from mmengine.config import Config

from mmfastervit.engine.preflight import MissingInputsError, check_inputs

LABELLED = [dict(type="LoadImageFromFile"), dict(type="LoadAnnotations"), dict(type="Pack")]


def config(dataset: dict, stage: str = "train", **changes) -> Config:
    loader = {f"{stage}_dataloader": dict(dataset=dataset)}
    return Config(copy.deepcopy({**loader, **changes}))


def complaint(cfg: Config, mode: str = "train") -> str:
    with pytest.raises(MissingInputsError) as caught:
        check_inputs(cfg, mode)
    return str(caught.value)


@pytest.fixture
def coco(tmp_path) -> dict:
    """A detection data set that is all there."""
    (tmp_path / "train").mkdir()
    (tmp_path / "train.json").touch()
    return dict(
        type="CocoDataset",
        data_root=str(tmp_path),
        ann_file="train.json",
        data_prefix=dict(img="train/"),
        pipeline=LABELLED,
    )


class TestDatasets:
    def test_complete_data_passes(self, coco):
        check_inputs(config(coco), "train")

    def test_all_missing_paths_are_listed_with_key_and_remedy(self, coco):
        dataset = dict(coco, ann_file="no.json", data_prefix=dict(img="no/", img_path=""))
        message = complaint(config(dataset))
        root = coco["data_root"]
        assert message.startswith("2 input(s) of this run are missing:")
        for path, key in (("no.json", "ann_file"), ("no", "data_prefix.img")):
            assert f"  {root}/{path}\n    from train_dataloader.dataset.{key}\n" in message
        assert message.count("--cfg-options train_dataloader.dataset.data_root=DIR") == 2

    def test_absolute_paths_do_not_depend_on_the_root(self, coco):
        dataset = dict(coco, data_root="/nowhere", data_prefix={}, ann_file="/no.json")
        message = complaint(config(dataset))
        assert "  /no.json\n" in message
        assert "--cfg-options train_dataloader.dataset.ann_file=PATH" in message

    def test_relative_paths_without_a_root_ask_for_one(self, coco, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        dataset = dict(coco, data_root=None)
        check_inputs(config(dataset), "train")
        message = complaint(config(dict(dataset, ann_file="no.json")))
        assert "no data_root is set" in message
        assert "--cfg-options train_dataloader.dataset.data_root=DIR" in message

    def test_a_root_alone_is_checked(self):
        message = complaint(config(dict(type="Folder", data_root="/nowhere")))
        assert "from train_dataloader.dataset.data_root" in message

    def test_wrapped_datasets_are_found_at_any_depth(self, coco):
        missing = dict(coco, ann_file="no.json")
        wrapped = dict(
            type="RepeatDataset",
            dataset=dict(type="ConcatDataset", datasets=[coco, missing]),
        )
        message = complaint(config(wrapped))
        assert "1 input(s)" in message
        assert "from train_dataloader.dataset.dataset.datasets.1.ann_file" in message

    def test_segmentation_folders_are_checked(self, tmp_path):
        prefix = dict(img_path="images", seg_map_path="annotations")
        dataset = dict(data_root=str(tmp_path), data_prefix=prefix, pipeline=LABELLED)
        message = complaint(config(dataset))
        assert "data_prefix.img_path" in message
        assert "data_prefix.seg_map_path" in message

    def test_label_maps_that_no_transform_loads_are_not_needed(self, tmp_path):
        prefix = dict(img_path="", seg_map_path="annotations")
        dataset = dict(data_root=str(tmp_path), data_prefix=prefix, pipeline=LABELLED[:1])
        check_inputs(config(dataset, "test"), "test")

    @pytest.mark.parametrize(
        "remote",
        [
            dict(data_root="s3://bucket/coco"),
            dict(backend_args=dict(backend="petrel")),
            dict(file_client_args=dict(backend="memcached")),
        ],
    )
    def test_remote_storage_is_left_alone(self, coco, remote):
        check_inputs(config({**coco, "ann_file": "no.json", **remote}), "train")

    def test_a_local_backend_is_checked(self, coco):
        dataset = dict(coco, ann_file="no.json", backend_args=dict(backend="local"))
        assert "no.json" in complaint(config(dataset))

    @pytest.mark.parametrize(
        ("root", "file", "advice"),
        [
            ("data/shapes", "train.json", "mmfastervit shapes --out data/shapes"),
            ("data/coco/", "annotations/instances_train2017.json", "https://cocodataset.org"),
            ("data/ade/ADEChallengeData2016", "x", "images/training/*.jpg"),
        ],
    )
    def test_known_data_come_with_the_way_to_get_them(
        self, root, file, advice, tmp_path, monkeypatch
    ):
        monkeypatch.chdir(tmp_path)
        assert advice in complaint(config(dict(data_root=root, ann_file=file)))


class TestStages:
    def test_training_reads_validation_data_too(self, coco):
        missing = dict(dataset=dict(coco, ann_file="no.json"))
        message = complaint(config(coco, val_dataloader=missing))
        assert "from val_dataloader.dataset.ann_file" in message

    def test_data_of_a_stage_that_is_not_run_are_not_needed(self, coco):
        missing = dict(coco, ann_file="no.json")
        check_inputs(config(coco, test_dataloader=dict(dataset=missing)), "train")
        check_inputs(config(coco, val_dataloader=None), "train")
        check_inputs(config(missing, "train"), "test")

    @pytest.mark.parametrize(
        ("evaluator", "key"),
        [
            (dict(ann_file="no.json"), "test_evaluator.ann_file"),
            ([dict(type="A"), dict(ann_file="no.json")], "test_evaluator.1.ann_file"),
            (dict(metrics=[dict(seg_prefix="no")]), "test_evaluator.metrics.0.seg_prefix"),
        ],
    )
    def test_evaluators_files_are_checked(self, coco, evaluator, key):
        message = complaint(config(coco, "test", test_evaluator=evaluator), "test")
        assert f"from {key}\n" in message
        assert f"--cfg-options {key}=PATH" in message

    def test_a_path_that_two_keys_lead_to_is_listed_once(self, coco, tmp_path):
        evaluator = dict(ann_file=str(tmp_path / "no.json"))
        cfg = config(dict(coco, ann_file="no.json"), "test", test_evaluator=evaluator)
        message = complaint(cfg, "test")
        assert message.startswith("1 input(s)")
        assert message.count("    from ") == 2

    def test_other_modes_are_refused(self, coco):
        with pytest.raises(ValueError, match="'train' or 'test'"):
            check_inputs(config(coco), "val")


class TestCheckpoints:
    @pytest.mark.parametrize(
        ("mode", "remedy"),
        [("train", "--cfg-options load_from=PATH"), ("test", "another CHECKPOINT")],
    )
    def test_start_checkpoint_is_checked_in_both_modes(self, mode, remedy):
        message = complaint(Config(dict(load_from="no.pth")), mode)
        assert "  no.pth\n    from load_from\n" in message
        assert remedy in message

    def test_checkpoint_to_resume_is_checked(self):
        message = complaint(Config(dict(load_from="no.pth", resume=True)))
        assert "--resume PATH" in message

    def test_pretrained_parts_are_found_at_any_depth(self):
        pretrained = dict(type="Pretrained", checkpoint="no.pth")
        model = dict(
            backbone=dict(init_cfg=pretrained),
            heads=[dict(type="A"), dict(init_cfg=[dict(type="Normal"), pretrained])],
            pretrained="old.pth",
        )
        message = complaint(Config(dict(model=model)))
        assert "from model.backbone.init_cfg.checkpoint\n" in message
        assert "--cfg-options model.backbone.init_cfg.checkpoint=PATH" in message
        assert "model.backbone.init_cfg=None to train from scratch" in message
        assert "from model.heads.1.init_cfg.1.checkpoint\n" in message
        assert "from model.pretrained\n" in message

    def test_testing_applies_no_init_cfg(self):
        init_cfg = dict(type="Pretrained", checkpoint="no.pth")
        check_inputs(Config(dict(model=dict(init_cfg=init_cfg))), "test")

    @pytest.mark.parametrize(
        "url", ["https://host/a.pth", "torchvision://resnet50", "open-mmlab://a", "s3://b/a.pth"]
    )
    def test_urls_are_left_alone(self, url):
        init_cfg = dict(type="Pretrained", checkpoint=url)
        check_inputs(Config(dict(load_from=url, model=dict(init_cfg=init_cfg))), "train")

    def test_other_initialisations_are_left_alone(self):
        init_cfg = dict(type="TruncNormal", std=0.02)
        model = dict(init_cfg=init_cfg, pretrained="ViT-B/16")
        check_inputs(Config(dict(model=model)), "train")

    def test_data_and_checkpoints_are_listed_together(self, coco):
        cfg = config(dict(coco, ann_file="no.json"), load_from="no.pth")
        assert complaint(cfg).startswith("2 input(s)")
