"""A published file holds a model, and nothing else; it gives what the checkpoint gave."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from support.opened import CLASSES, KINDS, checkpoint_of, config_of, picture, save

from mmfastervit.inference import load, open_model
from mmfastervit.inference.publishing import publish
from mmfastervit.models import deploy


def parts_of(prediction) -> list[np.ndarray]:
    names = ("boxes", "scores", "labels", "masks")
    return [np.asarray(getattr(prediction, n)) for n in names if hasattr(prediction, n)]


@pytest.mark.parametrize("with_config", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_published_file_predicts_the_same_bit_for_bit(kind, with_config, tmp_path):
    cfg = config_of(kind)
    path = publish(checkpoint_of(kind), cfg if with_config else None, tmp_path)
    ours, theirs = (
        load(*source, score_thr=0).predict([picture(), picture((50, 70), 1)])
        for source in ((cfg, checkpoint_of(kind)), (None, str(path)))
    )
    for one, other in zip(ours, theirs, strict=True):
        assert one.classes == other.classes == CLASSES[kind]
        assert all(map(np.array_equal, parts_of(one), parts_of(other)))
        assert parts_of(one)[0].size


def test_the_name_ends_in_the_files_own_hash_and_the_same_gives_the_same(tmp_path):
    path = publish(checkpoint_of("det"), config_of("det"), tmp_path, "shapes")
    digits = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    assert path == tmp_path / f"shapes-{digits}.pth"
    again = publish(checkpoint_of("det"), config_of("det"), tmp_path, "shapes")
    assert again == path
    assert list(tmp_path.iterdir()) == [path]


def test_published_again_it_is_the_same(tmp_path):
    first = publish(checkpoint_of("seg"), config_of("seg"), tmp_path, "a")
    second = publish(str(first), None, tmp_path, "b")
    assert first.name[1:] == second.name[1:]


def test_of_a_runs_folder_its_checkpoint_is_published_into_it(tmp_path):
    (tmp_path / "epoch_3.pth").hardlink_to(checkpoint_of("det"))
    (tmp_path / "last_checkpoint").write_text("epoch_3.pth")
    path = publish(str(tmp_path), config_of("det"))
    assert path.parent == tmp_path


def test_nothing_of_the_run_is_in_it(tmp_path):
    path = tmp_path / "run.pth"
    content = torch.load(checkpoint_of("det"), weights_only=True)
    optimizer = dict(state={0: dict(step=torch.tensor(1.0))}, param_groups=[dict(lr=0.1)])
    save(
        path, content["state_dict"], config_of("det"), "det",
        optimizer=optimizer, message_hub=dict(log="secret/path"), ema_state_dict={},
    )  # fmt: skip
    found = torch.load(publish(str(path), config_of("det")), weights_only=True)
    assert set(found) == {"meta", "state_dict"}
    assert set(found["meta"]) == {"mmfastervit_model", "dataset_meta", "mmfastervit_version"}
    assert "nowhere" not in str(found["meta"])  # where the data lay


def test_of_a_run_with_an_average_the_averaged_weights_are_published(tmp_path):
    path = tmp_path / "ema.pth"
    content = torch.load(checkpoint_of("det"), weights_only=True)
    raw = {f"module.{name}": torch.zeros_like(v) for name, v in content["state_dict"].items()}
    save(path, content["state_dict"], config_of("det"), "det", ema_state_dict=raw)
    found = torch.load(publish(str(path)), weights_only=True)["state_dict"]
    assert all(torch.equal(found[k], v) for k, v in content["state_dict"].items())


def refused(tmp_path: Path, match: str, checkpoint: str, cfg) -> None:
    before = set(tmp_path.iterdir())
    with pytest.raises(ValueError, match=match):
        publish(checkpoint, cfg, tmp_path)
    assert set(tmp_path.iterdir()) == before


def test_a_deployed_model_is_refused(tmp_path):
    model = deploy(open_model(config_of("det"), checkpoint_of("det")).model)
    path = tmp_path / "folded.pth"
    save(path, model.state_dict(), config_of("det"), "det")
    refused(tmp_path, "learned weights are missing", str(path), config_of("det"))


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    refused(tmp_path, "does not fit", checkpoint_of("det"), config_of("seg"))


def test_a_model_with_parts_of_ones_own_is_refused(tmp_path):
    from mmengine.registry import MODELS
    from mmseg.models import EncoderDecoder

    @MODELS.register_module(force=True)
    class OwnSegmentor(EncoderDecoder):
        pass

    cfg = config_of("seg")
    cfg.model.type = "OwnSegmentor"
    refused(tmp_path, "holds no code.*OwnSegmentor", checkpoint_of("seg"), cfg)


def test_a_folder_that_is_not_there_is_made_for_what_is_published_alone(tmp_path):
    with pytest.raises(ValueError, match="does not fit"):
        publish(checkpoint_of("det"), config_of("seg"), tmp_path / "new/refused")
    assert not (tmp_path / "new").exists()
    path = publish(checkpoint_of("det"), config_of("det"), tmp_path / "new/models")
    assert path.parent == tmp_path / "new/models"


def test_types_that_are_named_by_their_modules_are_named_as_registries_do(tmp_path):
    cfg = config_of("seg")
    cfg.model.type = "mmseg.models.segmentors.encoder_decoder.EncoderDecoder"
    path = publish(checkpoint_of("seg"), cfg, tmp_path)
    assert open_model(None, str(path)).cfg.model.type == "mmseg.EncoderDecoder"
