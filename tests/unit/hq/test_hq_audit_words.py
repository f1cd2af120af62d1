"""The audit's codes as words: none reaches a page as a code."""

import ast
from collections.abc import Iterator
from pathlib import Path

import central
from hq.audit_words import DONE, done


def codes_of_the_centre() -> Iterator[str]:
    """What the centre's code writes itself; codes that are put together have their words listed, too."""
    for path in Path(central.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "audit"
            ):
                action = node.args[1] if len(node.args) > 1 else None
                if isinstance(action, ast.Constant) and isinstance(action.value, str):
                    yield action.value


def test_every_code_that_the_centre_writes_has_words():
    codes = set(codes_of_the_centre())
    assert {"approve", "log-in", "put-webhook"} <= codes
    assert codes - DONE.keys() == set()


def test_a_code_of_a_newer_centre_reads_without_its_hyphens():
    assert done("rollout-halted") == "rollout halted"
    assert done("put-supplier") == "set a supplier's calendar"
