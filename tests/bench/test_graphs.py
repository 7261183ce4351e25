"""How a CUDA graph is recorded, on a stand-in for torch.cuda that notes what is asked of it."""

from contextlib import contextmanager

import pytest
import torch

from mmfastervit.bench.graphs import WARM_UP, record


class FakeCuda:
    """Streams and graphs that do nothing; ``seen`` has what happened on which stream."""

    def __init__(self, monkeypatch):
        self.seen: list[str] = []
        self.current = "default"
        self.streams = 0
        for name in ("Stream", "stream", "current_stream", "set_stream", "CUDAGraph", "graph"):
            monkeypatch.setattr(torch.cuda, name, getattr(self, name))

    class OneStream:
        def __init__(self, fake, name):
            self.fake, self.name = fake, name

        def wait_stream(self, other):
            self.fake.seen.append(f"{self.name} waits for {other.name}")

    def Stream(self):
        return self.OneStream(self, "side")

    def current_stream(self):
        return self.OneStream(self, self.current)

    def set_stream(self, stream):
        self.current = stream.name

    @contextmanager
    def stream(self, stream):
        before, self.current = self.current, stream.name
        yield
        self.current = before

    class CUDAGraph:
        def replay(self):
            self.replayed = True

    @contextmanager
    def graph(self, graph):
        before, self.current = self.current, "recording"
        yield  # what raises inside leaves the stream as it is, as torch does when ending fails
        self.current = before


@pytest.fixture
def cuda(monkeypatch):
    return FakeCuda(monkeypatch)


def test_a_call_warms_up_on_a_stream_of_its_own_before_it_is_recorded(cuda):
    def call():
        cuda.seen.append(f"called on {cuda.current}")
        return "maps"

    recorded = record(call, "cuda")
    assert cuda.seen == [
        "side waits for default",
        *["called on side"] * WARM_UP,
        "default waits for side",
        "called on recording",
    ]
    assert recorded() == "maps"
    assert recorded.graph.replayed
    assert recorded.call is call  # the graph reads its images and weights
    assert cuda.seen[-1] == "called on recording"  # not called again


def test_a_recording_that_fails_leaves_the_stream_of_before(cuda):
    def call():
        if cuda.current == "recording":
            raise RuntimeError("operation not permitted when stream is capturing")

    with pytest.raises(RuntimeError, match="not permitted"):
        record(call, "cuda")
    assert cuda.current == "default"


def test_nothing_is_recorded_on_a_cpu():
    with pytest.raises(ValueError, match="on a GPU alone"):
        record(lambda: None, "cpu")
