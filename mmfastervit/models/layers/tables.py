"""The tables that layers keep for the sizes of maps they have seen, in one cache a model."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar

from torch import Tensor, nn

from . import graph

MAX_BYTES = 2**28  # 256 MiB

T = TypeVar("T")


class TableCache:
    """Least recently used tables of all layers of a model, bounded by the bytes they hold.

    A table that is larger than its layer's share of the bound evicts no other: it is kept only
    where there is room, and goes first. So does what later layers make of the same map. So all
    tables of one size either fit together or leave the others alone. Copies and pickles of a cache
    are empty. Threads may share one.

    Args:
        max_bytes: Bound on all tables together.
        sharers: Layers that keep their tables here.
    """

    def __init__(self, max_bytes: int = MAX_BYTES, sharers: int = 1):
        self.max_bytes = max_bytes
        self.sharers = sharers
        self.used = 0  # bytes
        self._entries: OrderedDict[tuple, tuple] = OrderedDict()
        self._lock = Lock()
        self._refused: int | None = None  # the first layer of this pass whose table was too large

    def __reduce__(self):
        return TableCache, (self.max_bytes, self.sharers)

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: tuple, compute: Callable[[], T], layer: int = 0) -> T:
        """Return the tables of ``key``, computing them if they are not here.

        Args:
            key: What they depend on.
            compute: Makes them, without gradients.
            layer: Number of the layer that asks; a pass of the model asks in rising order.
        """
        with self._lock:
            if self._refused is not None and layer <= self._refused:
                self._refused = None  # another pass has begun
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key][0]
        tables, size = graph.unrecorded(lambda: weighed(compute()))
        with self._lock:
            self._keep(key, tables, size, layer)
        return tables

    def _keep(self, key: tuple, tables: object, size: int, layer: int) -> None:
        if self._refused is None and size * self.sharers > self.max_bytes:
            self._refused = layer
        may_evict = self._refused is None
        if key in self._entries or not (may_evict or self.used + size <= self.max_bytes):
            return
        while self.used + size > self.max_bytes:
            self.used -= self._entries.popitem(last=False)[1][1]
        self._entries[key] = tables, size
        self._entries.move_to_end(key, last=may_evict)
        self.used += size

    def forget(self, layer: int) -> None:
        """Forget the tables of one layer."""
        with self._lock:
            for key in [key for key in self._entries if key[0] == layer]:
                self.used -= self._entries.pop(key)[1]


class Shelf:
    """One layer's place in the cache of its model.

    Args:
        cache: The cache; None for one of the layer's own.
        layer: Number of the layer among those that share the cache.
    """

    def __init__(self, cache: TableCache | None = None, layer: int = 0):
        self.cache = TableCache() if cache is None else cache
        self.layer = layer

    def get(self, key: tuple, compute: Callable[[], T]) -> T:
        """Return the layer's tables of ``key``, computing them if they are not here."""
        return self.cache.get((self.layer, *key), compute, self.layer)

    def clear(self) -> None:
        """Forget every table of the layer."""
        self.cache.forget(self.layer)


def share_cache(model: nn.Module) -> None:
    """Let all layers of a model that have a ``shelf`` keep their tables under one bound."""
    layers: list[Any] = [m for m in model.modules() if isinstance(getattr(m, "shelf", None), Shelf)]
    cache = TableCache(sharers=max(len(layers), 1))
    for i, layer in enumerate(layers):
        layer.shelf = Shelf(cache, i)


def weighed(tables: T) -> tuple[T, int]:
    """Tables and their bytes, see :func:`bytes_of`."""
    return tables, bytes_of(tables)


def bytes_of(tables: object) -> int:
    """Bytes of a tensor, or of all tensors in a tuple."""
    if isinstance(tables, Tensor):
        return tables.nbytes
    return sum(map(bytes_of, tables)) if isinstance(tables, tuple) else 0
