"""Pictures of any kind in any number, and plain results in their own pixels."""

import numpy as np
import pytest
import torch
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from PIL import Image
from support.opened import CLASSES, KINDS, checkpoint_of, config_of, opened, picture
from support.stacks import MANY_CHANNELS

import mmfastervit
from mmfastervit.inference import Detections, Predictor, Segmentation, Unreadable, open_model
from mmfastervit.inference.tiles import Tiles


def predictor(kind: str, **options) -> Predictor:
    return Predictor(opened(kind), **{"score_thr": 0.0, **options})


def same(one, other) -> bool:
    names = ("boxes", "scores", "labels", "masks")
    ours, theirs = ([getattr(x, n, None) for n in names] for x in (one, other))
    return all(
        (a is None) == (b is None) and (a is None or np.array_equal(a, b))
        for a, b in zip(ours, theirs, strict=True)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_package_loads_a_model_that_predicts(kind):
    model = mmfastervit.load(config_of(kind), checkpoint_of(kind), score_thr=0)
    found = model.predict(picture((80, 64)))
    assert found.classes == CLASSES[kind]
    if kind == "seg":
        assert isinstance(found, Segmentation)
        assert (found.labels.shape, found.labels.dtype) == ((64, 80), np.uint8)
        return
    assert isinstance(found, Detections)
    assert len(found) > 0
    assert (np.diff(found.scores) <= 0).all()
    assert (found.boxes[:, 2] <= 80).all()
    assert (found.masks is None) == (kind == "det")
    if kind == "mask":
        assert (found.masks.shape[1:], found.masks.dtype) == ((64, 80), bool)


@pytest.mark.parametrize("kind", KINDS)
def test_a_prediction_is_that_of_the_configs_own_pipeline_and_model(kind, tmp_path):
    """The one by which ``test`` reads and predicts."""
    path = tmp_path / "a.png"
    Image.fromarray(picture((80, 64))).save(path)
    model, cfg = opened(kind), config_of(kind)
    steps = [s for s in cfg.test_dataloader.dataset.pipeline if s.type != "LoadAnnotations"]
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        sample = Compose(steps)(dict(img_path=str(path), img_id=0))
    with torch.no_grad():
        (expected,) = model.model.test_step({key: [value] for key, value in sample.items()})
    found = predictor(kind).predict(path)
    if kind == "seg":
        assert np.array_equal(found.labels, expected.pred_sem_seg.data[0].numpy())
        return
    order = expected.pred_instances.scores.argsort(descending=True, stable=True)
    assert np.array_equal(found.boxes, expected.pred_instances.bboxes[order].numpy())
    assert np.array_equal(found.labels, expected.pred_instances.labels[order].numpy())


@pytest.mark.parametrize("kind", ["det", "seg"])
def test_every_kind_of_the_same_picture_gives_the_same(kind, tmp_path):
    image = picture()
    path = tmp_path / "a.png"
    Image.fromarray(image).save(path)
    model = predictor(kind)
    kinds = [
        path,
        str(path),
        path.read_bytes(),
        Image.fromarray(image),
        image[:, :, ::-1],
        torch.from_numpy(image.copy()).permute(2, 0, 1),
        np.dstack([image[:, :, ::-1], image[:, :, 0]]),
    ]
    first, *others = model.predict(kinds)
    assert all(same(first, other) for other in others)
    assert same(first, model.predict(image, order="rgb"))


def test_what_is_one_gives_one_and_what_is_several_a_list():
    model = predictor("seg")
    assert isinstance(model.predict(picture()), Segmentation)
    assert len(model.predict([picture()])) == 1
    assert len(model.predict(picture() for _ in range(2))) == 2
    assert len(model.predict(torch.zeros(3, 3, 64, 64))) == 3
    assert model.predict([]) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(80, 64), (64, 80), (17, 90), (64, 64)])
def test_results_are_in_the_pixels_of_the_picture(kind, shape):
    found = predictor(kind).predict(picture(shape))
    if kind == "seg":
        assert found.labels.shape == shape[::-1]
    else:
        assert (found.boxes.max(axis=0) <= np.array([*shape, *shape]) + 1e-3).all()


def test_a_segmentors_batch_is_of_one_size():
    """mmseg takes no other; results come in the order of the pictures."""
    shapes = [(80, 64), (80, 64), (64, 80), (64, 80), (64, 80), (80, 64)]
    pictures = [picture(shape, seed) for seed, shape in enumerate(shapes)]
    model, batched = predictor("seg"), predictor("seg", batch_size=2)
    sizes = []
    step = batched.opened.model.test_step
    batched.opened.model.test_step = lambda data: sizes.append(len(data["inputs"])) or step(data)
    found = batched.predict(pictures)
    assert sizes == [2, 2, 1, 1]
    for one, other in zip(found, model.predict(pictures), strict=True):
        assert (one.labels == other.labels).mean() > 0.99  # sums of floats in another order


def test_a_detectors_batch_takes_any_sizes():
    pictures = [picture((80, 64)), picture((64, 80), 1)]
    batched = predictor("det", batch_size=2).predict(pictures)
    assert [len(found) > 0 for found in batched] == [True, True]


def test_scores_and_classes_are_chosen():
    everything = predictor("det").predict(picture())
    middle = float(np.median(everything.scores))
    surer = predictor("det", score_thr=middle).predict(picture())
    assert 0 < len(surer) < len(everything)
    assert (surer.scores >= middle).all()
    circles = predictor("det", classes=["circle"]).predict(picture())
    assert set(circles.names) <= {"circle"}
    labels = predictor("seg", classes=["circle"]).predict(picture()).labels
    assert set(np.unique(labels)) <= {1, 255}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(score_thr=1.5), "from 0 to 1"),
        (dict(batch_size=0), "at least 1"),
        (dict(classes=["circel"]), "no class 'circel'; it knows circle, square, triangle"),
        (dict(tiles=None, score_thr=-1), "from 0 to 1"),
    ],
)
def test_a_setting_out_of_its_range_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Predictor(opened("det"), **options)


def test_a_picture_that_can_not_be_read_is_an_error():
    with pytest.raises(Unreadable, match="No such file"):
        predictor("det").predict("no.jpg")


def test_loading_without_a_checkpoint_is_refused():
    with pytest.raises(ValueError, match="must name trained weights"):
        mmfastervit.load(config_of("det"))


def test_a_model_of_six_channels_takes_arrays_of_six():
    cfg = config_of("seg")
    cfg.model.backbone.in_channels = 6
    statistics = dict(mean=[0.0] * 6, std=[1.0] * 6)
    cfg.model.data_preprocessor.update(statistics, type=MANY_CHANNELS)
    model = Predictor(open_model(cfg, None))
    bands = np.random.default_rng(0).normal(size=(64, 80, 6)).astype(np.float32)
    assert model.predict(bands).labels.shape == (64, 80)
    with pytest.raises(Unreadable, match="6 channels"):
        model.predict(picture())


def test_a_config_without_a_pipeline_says_so():
    cfg = config_of("det")
    for stage in ("val", "test"):
        cfg[f"{stage}_dataloader"].dataset.pipeline = None
    with pytest.raises(ValueError, match="test_pipeline"):
        _ = Predictor(open_model(cfg, None)).pipeline


def test_several_views_of_a_picture_are_refused():
    cfg = config_of("det")
    cfg.test_dataloader.dataset.pipeline = [
        dict(type="LoadImageFromFile"), dict(type="TestTimeAug", transforms=[])
    ]  # fmt: skip
    with pytest.raises(ValueError, match="TestTimeAug"):
        _ = Predictor(open_model(cfg, None)).pipeline


def test_a_large_picture_in_tiles_is_segmented_by_mmsegs_window():
    image = picture((200, 150))
    model = predictor("seg", tiles=Tiles(64, 64, 0.25))
    calls = []
    inner = model.opened.model.encode_decode
    model.opened.model.encode_decode = lambda x, m: calls.append(tuple(x.shape)) or inner(x, m)
    found = model.predict(image)
    assert found.labels.shape == (150, 200)
    assert set(calls) == {(1, 3, 64, 64)}
    assert model.opened.model.test_cfg.mode == "whole"  # as it was
