"""A file gets pictures as it takes them, and its results become the model's own data samples."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmdet.structures import DetDataSample
from mmseg.structures import SegDataSample
from support.fake_file import PLAIN, fake_model

from mmfastervit.runtimes import DoesNotFit

SEG = replace(PLAIN, task="seg", gives=("classes",), max_detections=None)


def picture(height: int, width: int, value: int = 100) -> torch.Tensor:
    """Blue first: blue is the value, green and red are one and two more."""
    return torch.arange(3).add(value).to(torch.uint8)[:, None, None].expand(3, height, width)


def batch_of(*pictures: torch.Tensor, kind=DetDataSample, **meta) -> dict:
    samples = []
    for one in pictures:
        shape = tuple(one.shape[1:])
        own = dict(ori_shape=shape, img_shape=shape, scale_factor=(1.0, 1.0), img_path="a.jpg")
        samples.append(kind(metainfo=own | meta))
    return dict(inputs=list(pictures), data_samples=samples)


def objects(**more):
    """Two objects, and a third place that is empty."""
    boxes = np.array([[2, 4, 12, 20], [30, 30, 39, 39], [0, 0, 0, 0]], np.float32)
    found = dict(
        boxes=boxes,
        scores=np.array([0.9, 0.4, 0.0], np.float32),
        labels=np.array([1, 0, -1]),
        count=np.array(2),
    )
    return lambda given: found | more


def test_pictures_of_uint8_have_red_first_and_those_of_a_size_go_together(tmp_path, monkeypatch):
    model = fake_model(monkeypatch, tmp_path, PLAIN, objects())
    pictures = [picture(32, 40, 10), picture(20, 40, 20), picture(32, 40, 30)]
    found = model.test_step(batch_of(*pictures))
    assert [batch.shape for batch in model.runtime.batches] == [(2, 32, 40, 3), (1, 20, 40, 3)]
    assert model.runtime.batches[0][1, 0, 0].tolist() == [32, 31, 30]
    assert [len(sample.pred_instances) for sample in found] == [2, 2, 2]


def test_a_file_of_one_picture_gets_them_one_by_one(tmp_path, monkeypatch):
    model = fake_model(monkeypatch, tmp_path, replace(PLAIN, any_batch=False), objects())
    model.test_step(batch_of(picture(8, 8), picture(8, 8)))
    assert [len(batch) for batch in model.runtime.batches] == [1, 1]


def test_other_files_get_what_the_preprocessor_makes_without_its_padding(tmp_path, monkeypatch):
    model = fake_model(monkeypatch, tmp_path, replace(PLAIN, takes_uint8=False), objects())
    model.test_step(batch_of(picture(20, 40, 100)))
    (batch,) = model.runtime.batches
    assert batch.shape == (1, 3, 20, 40)
    assert batch[0, :, 5, 5].tolist() == [(102 - 1) / 2, (101 - 2) / 2, (100 - 3) / 2]


@pytest.mark.parametrize("takes_uint8", [True, False])
def test_a_smaller_picture_is_padded_and_what_lies_in_the_padding_dropped(
    takes_uint8, tmp_path, monkeypatch
):
    stated = replace(PLAIN, size=(64, 64), takes_uint8=takes_uint8)
    model = fake_model(monkeypatch, tmp_path, stated, objects())
    with pytest.warns(UserWarning, match=r"smaller than 64x64 are padded"):
        (sample,) = model.test_step(batch_of(picture(18, 64, 100)))
    (batch,) = model.runtime.batches
    pixels = batch[0] if takes_uint8 else batch[0].transpose(1, 2, 0)
    assert pixels.shape == (64, 64, 3)
    assert (pixels[18:] == [9, 8, 7]).all()
    assert len(np.unique(pixels[:18].reshape(-1, 3), axis=0)) == 1
    assert sample.pred_instances.bboxes.tolist() == [[2, 4, 12, 18]]


@pytest.mark.parametrize(
    ("stated", "size", "message"),
    [
        (replace(PLAIN, size=(64, 64)), (65, 30), r"a.jpg: it is 65x30 .* smaller ones.*--size 65"),
        (replace(PLAIN, size=(64, 64), fill=None), (64, 30), "does not pad.*--one-size"),
    ],
)
def test_a_picture_that_does_not_fit_is_told(stated, size, message, tmp_path, monkeypatch):
    model = fake_model(monkeypatch, tmp_path, stated, objects())
    with pytest.raises(DoesNotFit, match=message):
        model.test_step(batch_of(picture(*size)))


def test_numbers_that_are_not_whole_are_told_where_the_file_takes_uint8(tmp_path, monkeypatch):
    model = fake_model(monkeypatch, tmp_path, PLAIN, objects())
    model.test_step(batch_of(picture(8, 8).float()))
    with pytest.raises(DoesNotFit, match="to_float32=True"):
        model.test_step(batch_of(picture(8, 8) + 0.5))


def test_boxes_and_masks_are_brought_to_the_original_picture(tmp_path, monkeypatch):
    masks = np.full((3, 28, 28), 0.9, np.float32)
    stated = replace(PLAIN, threshold=0.4)
    model = fake_model(monkeypatch, tmp_path, stated, objects(masks=masks))
    meta = dict(ori_shape=(80, 160), scale_factor=(0.25, 0.5))
    (sample,) = model.test_step(batch_of(picture(40, 40), **meta))
    found = sample.pred_instances
    assert found.bboxes.tolist() == [[8, 8, 48, 40], [120, 60, 156, 78]]
    assert found.labels.tolist() == [1, 0]
    assert found.masks.shape == (2, 80, 160)
    rows, columns = torch.where(found.masks[0])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (8, 39, 8, 47)


def test_masks_of_whole_pictures_are_scaled_without_padding(tmp_path, monkeypatch):
    masks = np.zeros((3, 64, 64), bool)
    masks[0, 4:20, 2:12] = True
    stated = replace(PLAIN, size=(64, 64))
    model = fake_model(monkeypatch, tmp_path, stated, objects(masks=masks))
    meta = dict(ori_shape=(80, 80), scale_factor=(0.5, 0.5))
    (sample,) = model.test_step(batch_of(picture(40, 40), **meta))
    rows, columns = torch.where(sample.pred_instances.masks[0])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (8, 39, 4, 23)


def test_logits_are_scaled_as_mmseg_scales_them(tmp_path, monkeypatch):
    logits = np.random.default_rng(0).normal(size=(4, 12, 16)).astype(np.float32)
    stated = replace(SEG, gives=("logits",), align_corners=True)
    model = fake_model(monkeypatch, tmp_path, stated, lambda given: dict(logits=logits))
    data = batch_of(picture(10, 16), kind=SegDataSample, ori_shape=(31, 40))
    (sample,) = model.test_step(data)
    cut = torch.from_numpy(logits)[None, :, :10]
    wanted = F.interpolate(cut, (31, 40), mode="bilinear", align_corners=True)[0]
    assert torch.equal(sample.pred_sem_seg.data, wanted.argmax(0, keepdim=True))
    assert torch.equal(sample.seg_logits.data, wanted)


def test_the_probability_of_one_class_is_scaled_as_its_logit(tmp_path, monkeypatch):
    logits = torch.randn(1, 8, 8) * 4
    given = logits.sigmoid().numpy()
    stated = replace(SEG, gives=("logits",), threshold=0.3)
    model = fake_model(monkeypatch, tmp_path, stated, lambda picture: dict(logits=given))
    data = batch_of(picture(8, 8), kind=SegDataSample, ori_shape=(20, 20))
    (sample,) = model.test_step(data)
    wanted = F.interpolate(logits[None], (20, 20), mode="bilinear")[0].sigmoid()
    assert torch.allclose(sample.seg_logits.data, wanted, atol=1e-3)
    assert torch.equal(sample.pred_sem_seg.data, (sample.seg_logits.data > 0.3).long())


def test_class_maps_and_segments_keep_their_values(tmp_path, monkeypatch):
    maps = np.arange(16, dtype=np.int32).reshape(4, 4) * 1000
    stated = replace(SEG, gives=("classes", "segments"))
    answer = lambda picture: dict(classes=maps, segments=maps)  # noqa: E731  # short
    model = fake_model(monkeypatch, tmp_path, stated, answer)
    (sample,) = model.test_step(batch_of(picture(4, 4), ori_shape=(8, 12)))
    wanted = maps.repeat(2, 0).repeat(3, 1)
    assert (sample.pred_sem_seg.data[0].numpy() == wanted).all()
    assert (sample.pred_panoptic_seg.sem_seg[0].numpy() == wanted).all()


def test_it_predicts_alone_and_copies_share_the_file(tmp_path, monkeypatch):
    model = fake_model(monkeypatch, tmp_path, PLAIN, objects())
    with pytest.raises(ValueError, match="predicts with data samples alone, and has no 'loss'"):
        model([picture(8, 8)], None, "loss")
    assert copy.deepcopy(model).runtime is model.runtime
