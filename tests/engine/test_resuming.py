"""A resumed run equals an uninterrupted one, and begins at the newest whole checkpoint."""

import shutil
import time

import pytest
from mmengine.hooks import Hook
from support.lasting import EPOCH, ITERATIONS, assert_ended_alike, make_runner

from mmfastervit.checkpoint.reading import read_checkpoint
from mmfastervit.engine.resuming import ExactResumeHook, newest_whole


class Killed(BaseException):
    """The run ends here, as by a signal that nobody handles."""


class Killer(Hook):
    priority = "LOWEST"

    def __init__(self, after: int):
        self.after = after

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.after:
            raise Killed


def interrupted(folder, after: int, **settings) -> None:
    runner = make_runner(folder, **settings)
    runner.register_hook(Killer(after))
    with pytest.raises(Killed):
        runner.train()
    ExactResumeHook().after_train(runner)  # as of a killed process, its workers end at once


EPOCHS = (dict(), dict(), "epoch_3.pth")
MIDDLE = (dict(), dict(by_epoch=False, interval=3), f"iter_{ITERATIONS}.pth")
ENDLESS = (dict(by_epoch=False), dict(interval=3), f"iter_{ITERATIONS}.pth")
FINITE = (dict(ENDLESS[0], sampler=dict(type="DefaultSampler", shuffle=True)), *ENDLESS[1:])

CASES = (EPOCHS, MIDDLE, FINITE, ENDLESS)


@pytest.mark.parametrize(
    ("loop", "saving", "last", "workers"),
    [
        *((*case, workers) for case in CASES for workers in (0, 2)),
    ],
)
def test_resumed_equals_uninterrupted(loop, saving, last, workers, tmp_path, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # mmengine's, between passes
    make_runner(tmp_path / "whole", **loop, **saving).train()
    interrupted(tmp_path / "cut", 8, **loop, **saving, workers=workers)
    shutil.move(tmp_path / "cut", tmp_path / "moved")
    runner = make_runner(tmp_path / "moved", resume=True, workers=workers, **loop, **saving)
    runner.train()
    assert runner.iter == ITERATIONS
    assert_ended_alike(tmp_path / "whole" / last, tmp_path / "moved" / last)


def test_each_step_and_each_epoch_draws_anew(tmp_path):
    runner, seen = make_runner(tmp_path), []

    class Watch(Hook):
        def before_train_iter(self, runner, batch_idx, data_batch=None):
            seen.extend(tuple(sample.tolist()) for sample in data_batch)

    runner.register_hook(Watch())
    runner.train()
    assert len(set(seen)) == len(seen) == 4 * ITERATIONS
    epochs = [[int(x) for x, *_ in seen[i : i + 4 * EPOCH]] for i in range(0, len(seen), 4 * EPOCH)]
    assert all(sorted(epoch) == list(range(4 * EPOCH)) for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_far_iterations_are_reached_without_loading_a_sample(tmp_path):
    loaded = []
    runner = make_runner(tmp_path, by_epoch=False)
    loop = runner.build_train_loop(runner._train_loop)
    runner._train_loop, loop._iter, loop._max_iters = loop, 100_000, 100_001
    dataset = type(runner.train_dataloader.dataset)
    original = dataset.__getitem__
    dataset.__getitem__ = lambda self, index: loaded.append(index) or original(self, index)
    try:
        runner.train()
    finally:
        dataset.__getitem__ = original
    assert len(loaded) == 4


def test_the_newest_whole_checkpoint_is_taken_whatever_the_pointer_says(tmp_path):
    make_runner(tmp_path, max_keep_ckpts=3).train()
    (tmp_path / "last_checkpoint").write_text("")
    told = []
    assert newest_whole([tmp_path], told.append) == tmp_path / "epoch_3.pth"
    assert "15 iterations" in told[-1]

    whole = (tmp_path / "epoch_3.pth").read_bytes()
    (tmp_path / "epoch_3.pth").write_bytes(whole[: len(whole) // 2])
    assert newest_whole([tmp_path], told.append) == tmp_path / "epoch_2.pth"
    assert any("epoch_3.pth is not a complete checkpoint" in line for line in told)

    weights = read_checkpoint(tmp_path / "epoch_2.pth")["state_dict"]["layer.weight"].numpy()
    content = (tmp_path / "epoch_2.pth").read_bytes()
    assert weights.tobytes() in content
    (tmp_path / "epoch_2.pth").write_bytes(content.replace(weights.tobytes(), bytes(36)))
    assert newest_whole([tmp_path], told.append) == tmp_path / "epoch_1.pth"
    assert any("epoch_2.pth is not whole" in line for line in told)


def test_files_without_an_optimizer_are_no_place_to_go_on(tmp_path):
    make_runner(tmp_path, evaluate=True, save_best="score", rule="greater").train()
    assert list(tmp_path.glob("best_score_*.pth"))
    for path in tmp_path.glob("epoch_*.pth"):
        path.unlink()
    assert newest_whole([tmp_path]) is None
