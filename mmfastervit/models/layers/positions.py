"""Continuous positions: small MLPs over coordinates, tabulated for any grid.

The formulas are those of Swin V2's log-spaced continuous position bias, as FasterViT uses them
(arXiv 2306.06189, section 3.2); normalising by the grid's own side makes one set of weights serve
every grid.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .precision import without_autocast
from .windows import window_order

HIDDEN_FEATURES = 512
MAX_BIAS = 16.0
LOG_RANGE = 8.0


class PositionMLP(nn.Module):
    """Two-layer MLP from (row, column) coordinates to features, always evaluated in full precision.

    Args:
        out_features: Features a coordinate pair is mapped to.
    """

    def __init__(self, out_features: int):
        super().__init__()
        self.fc1 = nn.Linear(2, HIDDEN_FEATURES)
        self.fc2 = nn.Linear(HIDDEN_FEATURES, out_features, bias=False)

    def evaluate(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Map coordinates of any equal shape (...) to (..., out_features), at least float32."""
        dtype = torch.promote_types(self.fc1.weight.dtype, torch.float32)
        with without_autocast(rows):
            coordinates = torch.stack((rows, columns), dim=-1).to(dtype)
            hidden = F.linear(coordinates, self.fc1.weight.to(dtype), self.fc1.bias.to(dtype))
            return F.linear(F.relu(hidden), self.fc2.weight.to(dtype))


class AbsolutePosition(PositionMLP):
    """Embedding of a cell's place in its grid, coordinates running from -1 to about 1."""

    def forward(self, height: int, width: int, window: int, reference: int | None = None) -> Tensor:
        """Tabulate the embedding of a ``height`` x ``width`` grid.

        Args:
            height: Rows of the grid.
            width: Columns of the grid.
            window: Cells are listed window by window, this many to a side.
            reference: Side whose half is the unit of length; None takes the grid's own, per axis.

        Returns:
            (height*width, out_features) in window order.
        """
        rows, columns = window_order(height, width, window, self.fc1.weight.device)
        return self.evaluate(
            (rows - height // 2) / torch.sym_max((reference or height) // 2, 1),
            (columns - width // 2) / torch.sym_max((reference or width) // 2, 1),
        )


class RelativeBias(PositionMLP):
    """Bias on attention logits from the offset between query and key, one feature a head."""

    def forward(self, height: int, width: int, window: int, reference: int | None = None) -> Tensor:
        """Tabulate the bias between all cells of a ``height`` x ``width`` grid.

        Args:
            height: Rows of the grid.
            width: Columns of the grid.
            window: Cells are listed window by window, this many to a side.
            reference: Side whose largest offset is the unit; None takes the grid's own, per axis.

        Returns:
            (num_heads, height*width, height*width), in (0, 16); query first, then key.
        """
        device = self.fc1.weight.device
        row_offsets = log_offsets(height, reference or height, device)
        column_offsets = log_offsets(width, reference or width, device)
        grid = torch.meshgrid(row_offsets, column_offsets, indexing="ij")
        table = MAX_BIAS * torch.sigmoid(self.evaluate(*grid)).flatten(0, 1).t()

        rows, columns = window_order(height, width, window, device)
        row_index = rows[:, None] - rows + height - 1
        column_index = columns[:, None] - columns + width - 1
        index = row_index * (2 * width - 1) + column_index
        return table.index_select(1, index.flatten()).unflatten(1, index.shape)


def log_offsets(side: int, reference: int, device: torch.device) -> Tensor:
    """Log-spaced offsets -(side-1) ... side-1, with ``reference - 1`` as the unit: (2*side-1,)."""
    unit = torch.sym_max(reference - 1, 1)
    offsets = torch.arange(1 - side, side, device=device) / unit * LOG_RANGE
    return offsets.sign() * torch.log2(offsets.abs() + 1) / math.log2(LOG_RANGE)


class TableCache:
    """Least recently used tables, by key, bounded by the elements they hold together.

    What is larger than the bound by itself is not kept. Copies and pickles of a cache are empty.
    Threads may share one.

    Args:
        max_elements: Bound on the elements of all tables together (2**24: 64 MiB of float32).
    """

    def __init__(self, max_elements: int = 2**24):
        self.max_elements = max_elements
        self._entries: OrderedDict[Hashable, tuple] = OrderedDict()
        self._lock = Lock()

    def __reduce__(self):
        return TableCache, (self.max_elements,)

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable, compute: Callable[[], tuple]) -> tuple:
        """Return the tables of ``key``, computing them if they are not here."""
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key]
        tables = compute()
        with self._lock:
            self._entries[key] = tables
            while self._entries and sum(map(elements, self._entries.values())) > self.max_elements:
                self._entries.popitem(last=False)
        return tables

    def clear(self) -> None:
        """Forget every table."""
        with self._lock:
            self._entries.clear()


def elements(table: object) -> int:
    """Elements of a tensor, or of all tensors in a tuple."""
    if isinstance(table, Tensor):
        return table.numel()
    return sum(map(elements, table)) if isinstance(table, tuple) else 0
