"""One cache of tables for a model: what it keeps, what it forgets, who has a share in it."""

import copy
import gc
import pickle
import random
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from mmfastervit import FasterViT, HATPlugin
from mmfastervit.models.layers.tables import MAX_BYTES, Shelf, TableCache


def zeros(elements: int):
    return lambda: (torch.zeros(elements), None)


def unwanted():
    pytest.fail("this is cached")


def test_the_least_recently_used_is_forgotten():
    cache = TableCache(max_bytes=40)
    cache.get("a", zeros(4))
    cache.get("b", zeros(4))
    cache.get("a", unwanted)
    cache.get("c", zeros(4))
    cache.get("a", unwanted)  # used after b
    computed = []
    cache.get("b", lambda: computed.append(1) or (torch.zeros(4),))
    assert computed
    assert cache.used <= 40


def test_what_does_not_fit_is_not_kept_and_evicts_nothing():
    cache = TableCache(max_bytes=40)
    cache.get("a", zeros(4))
    cache.get("huge", zeros(100))
    cache.get("a", unwanted)
    assert len(cache) == 1


def test_a_table_beyond_its_share_takes_free_room_only():
    cache = TableCache(max_bytes=80, sharers=4)
    cache.get("small", zeros(5))
    for i in range(4):  # 32 bytes each, of one large image
        cache.get(i, zeros(8))
    cache.get("small", unwanted)
    cache.get(0, unwanted)
    assert cache.used == 20 + 32


def test_layers_do_not_see_each_other():
    cache = TableCache()
    first, second = Shelf(cache, 0), Shelf(cache, 1)
    assert first.get(("key",), lambda: (1,)) == (1,)
    assert second.get(("key",), lambda: (2,)) == (2,)
    first.clear()
    assert len(cache) == 1
    assert second.get(("key",), unwanted) == (2,)


@pytest.fixture
def eager_threads():
    """Threads that give way to each other as often as Python lets them."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("eager_threads")
def test_threads_may_share_a_cache():
    cache = TableCache(max_bytes=40)

    def work(_):
        for i in range(2000):
            assert cache.get(i % 7, lambda i=i: (torch.full((3,), i % 7),))[0][0] == i % 7

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert cache.used <= 40


def caches_of(model: nn.Module) -> set[TableCache]:
    return {module.shelf.cache for module in model.modules() if hasattr(module, "shelf")}


@pytest.mark.parametrize("build", [FasterViT, lambda _: HATPlugin(32, depth=2)])
@torch.no_grad()
def test_a_copy_has_one_empty_cache_of_its_own(tiny_arch, build):
    model = build(tiny_arch).eval()
    model(torch.randn(1, 3 if isinstance(model, FasterViT) else 32, 64, 64))
    (cache,) = caches_of(model)
    assert len(cache)
    for clone in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        (other,) = caches_of(clone)
        assert other is not cache
        assert len(other) == 0


def bytes_alive() -> int:
    gc.collect()
    tensors = (x for x in gc.get_objects() if type(x) is torch.Tensor)
    return sum(x.numel() * x.element_size() for x in tensors)


@pytest.mark.parametrize(
    ("bound", "largest"),
    [(MAX_BYTES // 8, 500), pytest.param(MAX_BYTES, 1100, marks=pytest.mark.slow)],
)
@torch.no_grad()
def test_many_sizes_cost_a_large_model_no_more_than_the_bound(bound, largest):
    """The attention blocks and heads of FasterViT-2, which tables grow with, on few channels."""
    arch = dict(dim=8, in_dim=8, depths=(1, 1, 8, 5), num_heads=(1, 1, 8, 16))
    model = FasterViT(arch).eval()
    (cache,) = caches_of(model)
    cache.max_bytes = bound
    draw = random.Random(0)
    before = bytes_alive()
    for _ in range(24):
        model(
            torch.randn(
                1, 3, draw.randint(largest // 2, largest), draw.randint(largest // 2, largest)
            )
        )
    assert 0.5 * bound < bytes_alive() - before <= 1.01 * bound


@torch.no_grad()
def test_a_size_seen_again_computes_no_table_and_a_huge_one_takes_none_away(tiny_arch):
    model = FasterViT(tiny_arch).eval()
    calls = []
    for module in model.modules():
        if hasattr(module, "relative_bias"):
            module.relative_bias.register_forward_hook(lambda *_: calls.append(1))
    sizes = [(64, 64), (100, 150)]
    for size in sizes:
        model(torch.randn(1, 3, *size))
    assert calls
    calls.clear()
    (cache,) = caches_of(model)
    cache.get((0, "huge"), lambda: torch.empty(MAX_BYTES, device="meta"))
    for size in sizes:
        model(torch.randn(1, 3, *size))
    assert not calls
