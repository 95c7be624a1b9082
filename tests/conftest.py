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


@pytest.fixture(scope="session", autouse=True)
def kept(tmp_path_factory):
    """What runs keep for later ones stays out of the home of whoever runs the tests."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("kept"))


@pytest.fixture
def command(capfd, monkeypatch):
    """``command("sites", "check", path)`` runs it in this process: exit code, stdout, stderr."""
    from commands import call

    return lambda *words: call(words, capfd, monkeypatch)


@pytest.fixture
def engine(monkeypatch):
    """In place of the network: an engine that needs no weights and sees what became brighter."""
    from series import BrightEngine, take

    return take(BrightEngine(), monkeypatch)


@pytest.fixture
def full_disk():
    """A file that every write finds full."""
    path = Path("/dev/full")
    if not path.exists():
        pytest.skip("this system has no /dev/full, which Linux has")
    return path
