"""The parts of a whole model are told apart, add up, and are timed in turns."""

import pytest
import torch
from torch import nn

from mmfastervit.bench import parts
from mmfastervit.bench.parts import Stopwatch, WholeConditions, run_whole, watch_model, whole_row

CONDITIONS = WholeConditions("fp32", (8, 6), 2)


class Clock:
    """Time that passes only where a test lets it."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(parts, "time", made)
    return made


class Head(nn.Module):
    """Takes 16 s, and 4 to decode, 2 of them by another that is watched."""

    def __init__(self, clock: Clock):
        super().__init__()
        self.clock = clock
        self.inner = Inner(clock)

    def predict(self) -> None:
        self.clock.now += 16
        self.predict_by_feat()

    def predict_by_feat(self) -> None:
        self.clock.now += 2
        self.inner.predict_by_feat()


class Inner(nn.Module):
    def __init__(self, clock: Clock):
        super().__init__()
        self.clock = clock

    def predict_by_feat(self) -> None:
        self.clock.now += 2


class Preprocessor(nn.Module):
    def __init__(self, clock: Clock):
        super().__init__()
        self.clock = clock

    def forward(self, batch: object) -> object:
        self.clock.now += 1
        return batch


class Model(nn.Module):
    def __init__(self, clock: Clock, seen: list | None = None, name: str = ""):
        super().__init__()
        self.data_preprocessor, self.head = Preprocessor(clock), Head(clock)
        self.seen, self.name = [] if seen is None else seen, name

    def test_step(self, batch: object) -> None:
        assert not torch.is_grad_enabled()
        self.seen.append((self.name, batch))
        self.data_preprocessor(batch)
        self.head.predict()


def test_parts_are_told_apart_and_add_up(clock):
    stopwatch = watch_model(Model(clock))
    for _ in range(2):  # each call by itself
        assert stopwatch({}) == dict(preprocessing=1, network=16, postprocessing=4)


def test_what_an_error_ends_is_counted_no_further(clock):
    model = Model(clock)
    stopwatch = Stopwatch(model, "network")

    def fail() -> None:
        raise RuntimeError("no")

    model.head.predict_by_feat = fail
    stopwatch.watch(model.head, "predict_by_feat", "postprocessing")
    with pytest.raises(RuntimeError, match="no"):
        stopwatch({})
    model.head.predict_by_feat = Head(clock).predict_by_feat
    stopwatch.watch(model.head, "predict_by_feat", "postprocessing")
    assert stopwatch({})["postprocessing"] == 4


def test_a_model_that_finishes_nowhere_known_is_refused():
    model = nn.Module()
    model.data_preprocessor = nn.Identity()
    with pytest.raises(ValueError, match="no part of this Module has predict_by_feat"):
        watch_model(model)


def test_runtimes_run_in_turns_on_fresh_batches(clock):
    seen, batches = [], iter(range(100))
    watches = {name: watch_model(Model(clock, seen, name)) for name in ("torch", "file")}
    found = run_whole("little", watches, CONDITIONS, lambda: next(batches), 3, "torch")
    assert [name for name, _ in seen] == ["torch", "file"] * 5  # two before those that are timed
    assert [batch for _, batch in seen] == list(range(10))
    for result in found:
        assert result.times == (21,) * 3
        assert result.times == tuple(
            map(sum, zip(*(p.times for p in result.parts.values()), strict=True))
        )
        assert sum(part.share for part in result.parts.values()) == pytest.approx(1)
        assert (result.ratio, result.images_per_second) == (1, 2 / 21)
    (alone,) = run_whole("little", {"file": watches["file"]}, CONDITIONS, dict, 1, "torch")
    assert alone.ratio is None
    assert whole_row(alone)["ratio"] == ""
    assert whole_row(alone)["network_ms"] == 16_000
