"""Whether an environment will work, and what mends it.

Facts are gathered once (``environment``; what may crash is tried in another process, ``probe``).
Each other file has the diagnoses of a subject: functions that look at the facts and return a
:class:`Finding`, or None. Nothing here imports torch, mmengine or mmcv: they may be what is broken.
"""

from .environment import Environment, Folder, Package, Tried, gather
from .finding import Finding, Subject, Verdict
from .subjects import SUBJECTS, verdicts

__all__ = [
    "SUBJECTS",
    "Environment",
    "Finding",
    "Folder",
    "Package",
    "Subject",
    "Tried",
    "Verdict",
    "gather",
    "verdicts",
]
