"""What tests of several rooms share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from local_broker import LocalBroker

# A shared machine is slow at times: that is no fault of the code under test. In CI the same examples every time.
settings.register_profile("shelfloop", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("shelfloop")


@pytest.fixture
def local_broker(tmp_path: Path) -> Iterator[LocalBroker]:
    broker = LocalBroker(tmp_path)
    broker.start()
    yield broker
    broker.kill()
