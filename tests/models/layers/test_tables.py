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
from mmfastervit.models.layers.hat import find_windows
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
    """What all tensors hold, those that share memory once."""
    gc.collect()
    storages = [x.untyped_storage() for x in gc.get_objects() if type(x) is torch.Tensor]
    return sum({one.data_ptr(): one.nbytes() for one in storages}.values())


def tabulate(model: FasterViT, height: int, width: int) -> None:
    """Ask for all tables of an image, as inference does."""
    for i, stage in enumerate(model.stages):
        if hasattr(stage, "shelf"):
            side = 2 ** (i + 2)
            x = torch.empty(1, 1, -(-height // side), -(-width // side))
            windows = find_windows(x, stage.window, stage.carrier_size, stage.shelf)
            for block in stage.blocks:
                block.tables(windows, x)


def count_computed(model: FasterViT) -> list[int]:
    """A list to which every table that is computed from now on adds an entry."""
    calls: list[int] = []
    for module in model.modules():
        if hasattr(module, "relative_bias"):
            module.relative_bias.register_forward_hook(lambda *_: calls.append(1))
    return calls


# The attention heads of FasterViT-2, which tables grow with, on few channels and in few blocks.
NARROW_2 = dict(dim=8, in_dim=8, depths=(1, 1, 3, 2), num_heads=(1, 1, 8, 16))


@pytest.mark.parametrize(
    ("arch", "bound", "largest"),
    [
        pytest.param(NARROW_2, MAX_BYTES // 64, 240, id="narrow"),
        pytest.param("fastervit_2", MAX_BYTES, 1100, id="whole", marks=pytest.mark.slow),
    ],
)
@torch.no_grad()
def test_300_sizes_cost_no_more_than_the_bound_and_one_seen_again_nothing(arch, bound, largest):
    model = FasterViT(arch).eval()
    (cache,) = caches_of(model)
    cache.max_bytes = bound
    draw = random.Random(0)
    sides = range(largest // 2, largest)
    sizes = [(draw.choice(sides), draw.choice(sides)) for _ in range(300)]
    before = bytes_alive()
    for size in sizes:
        tabulate(model, *size)
    assert 0.8 * bound < cache.used <= bound
    assert bytes_alive() - before <= 1.01 * bound
    computed = count_computed(model)
    tabulate(model, *sizes[-1])
    tabulate(model, *sizes[-2])
    assert not computed


@torch.no_grad()
def test_one_huge_image_takes_no_table_of_the_others_away():
    model = FasterViT(NARROW_2).eval()
    (cache,) = caches_of(model)
    sizes = [(224, 224), (300, 420), (500, 333)]
    for size in sizes:
        tabulate(model, *size)
    cache.max_bytes = 2 * cache.used
    computed = count_computed(model)
    for size in ((900, 1100), (224, 230)):  # the second needs room
        tabulate(model, *size)
        assert computed
        computed.clear()
    for size in sizes:
        tabulate(model, *size)
    assert not computed


@torch.no_grad()
def test_a_forward_pass_of_a_size_seen_again_computes_no_table(tiny_arch):
    model = FasterViT(tiny_arch).eval()
    computed = count_computed(model)
    for size in ((64, 64), (100, 150)):
        model(torch.randn(1, 3, *size))
        tabulate(model, *size)
        assert computed
        computed.clear()
        model(torch.randn(1, 3, *size))
        assert not computed
