"""A warm-up that ends at the full rate in runs of any length."""

from typing import Any

from mmengine.optim import LinearLR

from mmfastervit.registry import PARAM_SCHEDULERS


@PARAM_SCHEDULERS.register_module()
class WarmUpLR(LinearLR):
    """mmengine's ``LinearLR``, and the whole rate from the start where that would never rise.

    ``LinearLR`` of one iteration leaves the rate at ``start_factor`` for the rest of the run, and
    one of none is an error. With ``convert_to_iter_based=True`` the length is in epochs, and a
    config does not know how many iterations that is:

    ``param_scheduler = [dict(type="mmfastervit.WarmUpLR", start_factor=0.001, begin=0, end=0.5,
    convert_to_iter_based=True)]``
    """

    @classmethod
    def build_iter_from_epoch(
        cls,
        *args: Any,
        end: float,
        epoch_length: int,
        begin: float = 0,
        start_factor: float = 1 / 3,
        by_epoch: bool = True,
        **options: Any,
    ) -> "WarmUpLR":
        """Build it with its length in iterations.

        Args:
            args: Those of ``LinearLR``.
            end: Where it ends, in epochs.
            epoch_length: Iterations of an epoch.
            begin: Where it begins, in epochs.
            start_factor: Of the rate, in the first iteration.
            by_epoch: True, as ``begin`` and ``end`` are in epochs.
            options: Further ones of ``LinearLR``.

        Raises:
            ValueError: ``by_epoch`` is false.
        """
        if not by_epoch:
            raise ValueError("convert_to_iter_based=True takes by_epoch=True, not False")
        first, last = int(begin * epoch_length), int(end * epoch_length)
        if last - first < 2:  # the first iteration has `start_factor`, and the second rises
            last, start_factor = first + 1, 1.0
        return cls(
            *args, begin=first, end=last, start_factor=start_factor, by_epoch=False, **options
        )
