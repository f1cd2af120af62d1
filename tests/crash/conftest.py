"""The crash suite: real processes, real faults, and every unit counted on both sides. `make soak` prints its tally."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))
# So that tests here may use the rigs of the integration tests.

from crash_rig import Centre, Shop


@pytest.fixture(scope="session")
def centre(tmp_path_factory):
    centre = Centre(tmp_path_factory.mktemp("centre"))
    yield centre
    centre.close()


@pytest.fixture
def shop(centre, tmp_path, request):
    """A shop of its own at the one centre; a test's `seed` says which answers get lost."""
    callspec = getattr(request.node, "callspec", None)
    shop = Shop(centre, tmp_path, callspec.params.get("seed", 1) if callspec else 1)
    yield shop
    shop.close()
