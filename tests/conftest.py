"""What tests of several rooms share."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from local_broker import LocalBroker
from soak import EXAMPLES_FACTOR, IS_SOAK, take_done

# A shared machine is slow at times: that is no fault of the code under test. In CI the same examples every time.
settings.register_profile("shelfloop", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.register_profile(
    "soak", settings.get_profile("shelfloop"), max_examples=EXAMPLES_FACTOR * 100, derandomize=False
)
settings.load_profile("soak" if IS_SOAK else "shelfloop")

_tally: Counter[str] = Counter()
_seeds: set[tuple[str, object]] = set()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The soak has every test of a module that counts more in it, and more examples of properties with a number of their own."""
    if not IS_SOAK:
        return
    ours = settings.get_profile("soak").max_examples
    seen = set()
    for item in items:
        if hasattr(getattr(item, "module", None), "IS_SOAK"):
            item.add_marker(pytest.mark.soak)
        test = getattr(item, "obj", None)
        test = getattr(test, "__func__", test)
        own = getattr(test, "_hypothesis_internal_use_settings", None)
        if own is not None and id(test) not in seen and own.max_examples != ours:
            seen.add(id(test))
            test._hypothesis_internal_use_settings = settings(
                own, max_examples=own.max_examples * EXAMPLES_FACTOR
            )


@pytest.fixture(autouse=True)
def _tell_the_tally(request: pytest.FixtureRequest) -> Iterator[None]:
    take_done()
    yield
    request.node.user_properties.extend(take_done().items())
    callspec = getattr(request.node, "callspec", None)
    if callspec is not None and "seed" in callspec.params:
        request.node.user_properties.append(("seed", callspec.params["seed"]))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call":
        _tally[f"tests {report.outcome}"] += 1
    if report.when == "teardown":
        for name, value in report.user_properties:
            if name == "seed":
                _seeds.add((report.nodeid, value))
            elif isinstance(value, int) and name.startswith("longest"):
                _tally[name] = max(value, _tally[name])
            elif isinstance(value, int):
                _tally[name] += value


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if IS_SOAK:
        counts = {**_tally, "seeds": len(_seeds)}
        line = ", ".join(f"{value} {name}" for name, value in sorted(counts.items()))
        terminalreporter.write_line(f"soak tally: {line}")


@pytest.fixture
def local_broker(tmp_path: Path) -> Iterator[LocalBroker]:
    broker = LocalBroker(tmp_path)
    broker.start()
    yield broker
    broker.kill()
