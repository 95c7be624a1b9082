"""Pictures of the report: brightness by one stretch, a veil where nothing was usable."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from groundbreak.prepare.store import unit
from groundbreak.report.images import HAZY, Stretch, data_uri, shown

STRETCH = Stretch(np.full(3, 0.1, np.float32), np.full(3, 0.4, np.float32))
WHOLE = (slice(0, 40), slice(0, 30))


class Look:
    """What the report asks of a prepared look, its bands in another order."""

    bands = ("nir", "blue", "green", "red")

    def __init__(self, hidden):
        self._numbers = np.random.default_rng(1).integers(0, 6000, (4, 40, 30)).astype(np.uint16)
        self._usable = np.ones((40, 30), bool)
        self._usable[:, :10] = not hidden

    def numbers(self, window):
        return self._numbers[:, *window]

    def usable(self, window):
        return self._usable[window]


@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("hidden", [False, True])
def test_a_picture_is_the_stretched_look_under_its_veil(hidden, step):
    look = Look(hidden)
    image, some_veiled = shown(look, WHOLE, STRETCH, step)
    visible = unit(look.numbers(WHOLE)[[3, 2, 1]])
    expected = np.moveaxis(np.clip((visible - 0.1) / (0.4 - 0.1), 0, 1), 0, -1)
    veil = np.where(look.usable(WHOLE), 0, 0.6)[..., None]
    expected = expected * (1 - veil) + HAZY * veil
    assert some_veiled == hidden
    assert image.dtype == np.uint8
    np.testing.assert_allclose(image, (255 * expected)[::step, ::step], atol=0.51)


def test_a_picture_has_the_size_that_was_asked_for():
    uri = data_uri(np.full((900, 300, 3), 80, np.uint8), 90)
    picture = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
    assert picture.size == (30, 90)
    assert np.abs(np.asarray(picture).astype(int) - 80).max() <= 1
