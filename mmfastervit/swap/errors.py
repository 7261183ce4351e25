"""Why a backbone can't be swapped."""


class SwapRefusedError(ValueError):
    """The backbone of this model can't be swapped, for a reason that lies in the model.

    Args:
        reason: What about the model stands in the way.
        nearest: A config of a similar method that can be swapped, if there is one.
    """

    def __init__(self, reason: str, nearest: str | None = None):
        hint = f"; the nearest that can: {nearest}" if nearest else ""
        super().__init__(f"the backbone can't be swapped: {reason}{hint}")
        self.reason = reason
        self.nearest = nearest


class SwapAuditError(RuntimeError):
    """The swapped config would load, but says or reads something else than it should."""
