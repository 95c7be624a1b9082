"""What several test files need."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real imagery beside the checkout; its tests are skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real imagery (../shared/data) is not beside this checkout")
    return SHARED_DATA
