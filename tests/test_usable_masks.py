"""Codes of delivered masks, as truth tables."""

import numpy as np
import pytest

from groundbreak.types import MaskKind
from groundbreak.usable.masks import from_mask


def usable(kind, *codes):
    values = np.array([codes])
    return from_mask(kind, values, np.ones(values.shape, bool))[0].tolist()


def bit(*numbers):
    return sum(1 << number for number in numbers)


def test_sentinel_2_scene_classification():
    expected = [False, False, True, False, True, True, True, True, False, False, False, False]
    assert usable(MaskKind.SCL, *range(12)) == expected


def test_maja():
    assert usable(MaskKind.CLM, 0, 1, 2, 128) == [True, False, False, False]


def test_hls_fmask_is_a_bit_field():
    codes = [0, bit(0), bit(1), bit(2), bit(3), bit(4), bit(5), bit(6, 7), 255, bit(5, 1)]
    expected = [True, False, False, False, False, False, True, True, False, False]
    assert usable(MaskKind.FMASK, *codes) == expected


def test_landsat_collection_2():
    clear, water = bit(6), bit(6, 7)
    codes = [clear, water, bit(0), bit(1), bit(2), bit(3), bit(4), bit(5), bit(6, 8, 10)]
    assert usable(MaskKind.QA_PIXEL, *codes) == [True, True] + [False] * 6 + [True]


def test_landsat_collection_1_has_other_bits():
    shadow, snow, cirrus = bit(7, 8), bit(9, 10), bit(11, 12)
    low = bit(5, 7, 9, 11)
    codes = [low, bit(0), bit(4), shadow, snow, cirrus, bit(7), bit(2)]
    assert usable(MaskKind.BQA, *codes) == [True] + [False] * 5 + [True, True]
    # 2720 is what clear ground reads in a Collection 1 scene, 2800 cloud.
    assert usable(MaskKind.BQA, 2720, 2800) == [True, False]


def test_planet():
    clear = np.zeros((8, 1, 3), np.uint8)
    clear[0] = [[1, 1, 0]]
    clear[7] = [[0, 1, 0]]  # black fill
    everywhere = np.ones((1, 3), bool)
    assert from_mask(MaskKind.UDM2, clear, everywhere).tolist() == [[True, False, False]]
    older = np.array([[0, 1, 2]])
    assert from_mask(MaskKind.UDM2, older, everywhere).tolist() == [[True, False, False]]


def test_beyond_the_mask_nothing_is_usable():
    values = np.zeros((1, 2), np.uint8)
    assert from_mask(MaskKind.CLM, values, np.array([[True, False]])).tolist() == [[True, False]]


@pytest.mark.parametrize("kind", [MaskKind.SCL, MaskKind.UDM2])
def test_wrong_shapes_are_refused(kind):
    with pytest.raises(ValueError, match="expected"):
        from_mask(kind, np.zeros((3, 2, 2)), np.ones((2, 2), bool))
