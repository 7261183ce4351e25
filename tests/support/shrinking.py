"""Images and what is cut of them, smaller by one rule for all recipes."""

from typing import Any

LENGTHS = ("scale", "scales", "crop_size", "img_scale", "size", "max_size", "stride")


def smaller(value: Any) -> Any:
    """An eighth of what is a length of an image, in whole windows."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 100:
        return max(32, round(value / 8 / 32) * 32)
    return type(value)(map(smaller, value)) if isinstance(value, (list, tuple)) else value


def shrink(node: dict) -> dict:
    """With lengths made smaller; and an untrained detector's low scores are counted too."""
    found = {key: smaller(value) if key in LENGTHS else value for key, value in node.items()}
    return found | ({"score_thr": 0.0} if "score_thr" in found else {})
