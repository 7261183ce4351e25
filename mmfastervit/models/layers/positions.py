"""Continuous positions: small MLPs over coordinates, tabulated for any grid.

The formulas are those of Swin V2's log-spaced continuous position bias, as FasterViT uses them
(arXiv 2306.06189, section 3.2); normalising by the grid's own side makes one set of weights serve
every grid.
"""

import math
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .windows import relative_index, window_order

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
        full = nullcontext() if rows.is_meta else torch.autocast(rows.device.type, enabled=False)
        with full:
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

        index = relative_index(height, width, window, device)
        return table.index_select(1, index.flatten()).unflatten(1, index.shape)


def log_offsets(side: int, reference: int, device: torch.device) -> Tensor:
    """Log-spaced offsets -(side-1) ... side-1, with ``reference - 1`` as the unit: (2*side-1,)."""
    unit = torch.sym_max(reference - 1, 1)
    offsets = torch.arange(1 - side, side, device=device) / unit * LOG_RANGE
    return offsets.sign() * torch.log2(offsets.abs() + 1) / math.log2(LOG_RANGE)
