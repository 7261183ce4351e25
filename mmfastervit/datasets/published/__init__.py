"""Published data sets as people unpack them: what is there, what is missing, what has to be made.

``layouts`` says what each data set is made of, ``finding`` where its parts lie in a folder,
``looking`` what is wrong with them, ``making`` writes the label maps and lists that recipes read
and no download has, and ``reaching`` tells how recipes are led to the folder. Files that are there
are never moved, changed or deleted.
"""

from .layouts import LAYOUTS
from .looking import Look, look_at_folder
from .making import make_missing

__all__ = ["LAYOUTS", "Look", "look_at_folder", "make_missing"]
