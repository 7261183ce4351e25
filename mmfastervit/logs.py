"""What mmengine writes to the terminal."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.logging import MMLogger


@contextmanager
def warnings_only() -> Iterator[None]:
    """Silence mmengine's lines on each parameter's weight and learning rate."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
