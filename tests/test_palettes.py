"""Colours of classes can be told apart, and are the data set's where there are many."""

import itertools

import numpy as np
import pytest

from mmfastervit.palettes import BACKGROUND, OKABE_ITO, palette_for

GIVEN = [[i, 2 * i, 255 - i] for i in range(100)]


def test_few_classes_get_colours_for_every_kind_of_vision():
    names = ("background", "a", "b", "c", "d", "e", "f", "g")
    assert palette_for(names, GIVEN) == (BACKGROUND, *OKABE_ITO)


def test_many_classes_keep_the_colours_of_their_data_set():
    names = tuple(map(str, range(80)))
    assert palette_for(names, GIVEN) == tuple(map(tuple, GIVEN[:80]))


@pytest.mark.parametrize("given", [None, "random", [[1, 2]] * 80, [[1, 2, 3]] * 5])
def test_without_a_palette_many_classes_get_different_colours(given):
    found = palette_for(tuple(map(str, range(80))), given)
    assert len(set(found)) == 80
    neighbours = itertools.pairwise(found)
    assert min(np.abs(np.subtract(a, b)).sum() for a, b in neighbours) > 60


def test_the_few_colours_are_far_apart():
    pairs = itertools.combinations(OKABE_ITO, 2)
    assert min(np.abs(np.subtract(a, b)).sum() for a, b in pairs) > 80
