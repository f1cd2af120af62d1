import shutil
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from models.bundle import DEMO_BUNDLE, DEMO_PUBLIC_KEY, Bundle, load_bundle


@pytest.fixture(scope="session")
def demo_bundle() -> Bundle:
    return load_bundle(DEMO_BUNDLE, DEMO_PUBLIC_KEY)


@pytest.fixture
def bundle_copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEMO_BUNDLE, tmp_path / "bundle"))


@pytest.fixture(scope="session")
def other_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture(scope="session")
def histories() -> np.ndarray:
    """300 SKUs from one unit a fortnight to fifty a day, 56 days, weekends busier, some days unknown."""
    random = np.random.default_rng(7)
    level = np.exp(random.uniform(np.log(0.07), np.log(50), 300))[:, None]
    weekday = np.where(np.arange(56) % 7 >= 5, 1.5, 0.8)[None, :]
    units = random.negative_binomial(2, 2 / (2 + level * weekday)).astype(float)
    units[random.random(units.shape) < 0.03] = np.nan
    return units
