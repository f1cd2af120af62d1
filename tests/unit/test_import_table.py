"""Who may import whom (docs/decisions/001): held against every import statement in the code."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = frozenset(
    {"contract", "runtime", "firmware_bridge", "edge", "central", "models", "hq", "cli", "simulator"}
)

MAY_IMPORT = {
    "contract": frozenset(),
    "runtime": frozenset(),
    "models": frozenset({"contract", "runtime"}),
    "firmware_bridge": frozenset({"contract", "runtime"}),
    "edge": frozenset({"contract", "runtime", "models"}),
    "central": frozenset({"contract", "runtime", "models"}),
    "hq": frozenset({"contract", "runtime"}),
    "cli": OURS,
    "simulator": OURS,
}

CORES = ("firmware_bridge/core", "edge/core", "central/core")
PURE_STDLIB = frozenset(
    {
        "abc", "base64", "binascii", "bisect", "calendar", "collections", "contextlib", "copy", "csv", "dataclasses",
        "datetime", "decimal", "enum", "fractions", "functools", "graphlib", "hashlib", "heapq", "hmac", "itertools",
        "json", "math", "numbers", "operator", "re", "statistics", "string", "struct", "textwrap", "types", "typing",
        "typing_extensions", "unicodedata", "zlib", "zoneinfo", "__future__",
    }
)  # fmt: skip
PURE_LIBRARIES = frozenset({"numpy", "cobs", "h3", "pydantic"})
IMPURE_CALLS = frozenset(
    {
        "now", "utcnow", "today", "open", "input", "print", "getenv", "urandom", "exec", "eval", "uuid4",
        "default_rng", "token_bytes", "read_text", "read_bytes", "write_text", "write_bytes",
    }
)  # fmt: skip
"""Calls, by last name, that read a clock, a file, the environment or chance; `today` of a datetime, `open` of a file."""
CALLS_ON_OUR_OWN = frozenset({"now", "today", "open", "print"})
"""Of those, names that a method of our own may carry: only refused bare, or on a `date`/`datetime`."""


def _modules(package: str) -> Iterator[Path]:
    return (path for path in sorted((ROOT / package).rglob("*.py")) if "__pycache__" not in path.parts)


def _imports(tree: ast.AST, path: Path) -> Iterator[tuple[str, int]]:
    """(dotted module, line) of each import in `tree`, relative ones resolved."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                folder = list(path.relative_to(ROOT).parts[:-1])
                folder = folder[: len(folder) - node.level + 1]
                base = ".".join([*folder, *([base] if base else [])])
            for alias in node.names:
                yield f"{base}.{alias.name}", node.lineno


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _where(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_a_package_imports_only_those_that_the_table_names(package: str) -> None:
    allowed = MAY_IMPORT[package] | {package}
    wrong = [
        f"{_where(path, line)} imports {name}"
        for path in _modules(package)
        for name, line in _imports(_tree(path), path)
        if name.split(".")[0] in OURS and name.split(".")[0] not in allowed
    ]
    assert wrong == []


def test_every_package_has_a_row_in_the_table() -> None:
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert folders == set(MAY_IMPORT)


@pytest.mark.parametrize("core", CORES)
def test_a_core_imports_only_what_is_pure(core: str) -> None:
    package = core.split("/", maxsplit=1)[0]
    wrong = []
    for path in _modules(core):
        for name, line in _imports(_tree(path), path):
            top = name.split(".")[0]
            own_core = name.startswith(f"{package}.core")
            if not (own_core or top == "contract" or top in PURE_STDLIB or top in PURE_LIBRARIES):
                wrong.append(f"{_where(path, line)} imports {name}")
    assert wrong == []


@pytest.mark.parametrize("core", [*CORES, "contract"])
def test_a_core_calls_no_clock_file_environment_or_chance(core: str) -> None:
    wrong = [
        f"{_where(path, node.lineno)} calls {ast.unparse(node.func)}"
        for path in _modules(core)
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Call) and _is_impure(node.func)
    ]
    assert wrong == []


def _is_impure(function: ast.expr) -> bool:
    text = ast.unparse(function)
    last = text.split(".")[-1]
    if last not in IMPURE_CALLS and not text.startswith(
        ("time.", "random.", "os.", "np.random.", "numpy.random.")
    ):
        return False
    if last in CALLS_ON_OUR_OWN and "." in text:
        return text.split(".")[-2] in ("date", "datetime")
    return True


def test_the_outside_world_imports_nothing_of_ours() -> None:
    wrong = [
        f"{_where(path, line)} imports {name}"
        for path in _modules("simulator/outside")
        for name, line in _imports(_tree(path), path)
        if name.split(".")[0] in OURS and not name.startswith("simulator.outside")
    ]
    assert wrong == []


def test_training_is_imported_by_nobody_at_run_time() -> None:
    """`shelfloop models` imports it inside the function of the sub-command that trains."""
    wrong = []
    for package in OURS:
        for path in _modules(package):
            if (ROOT / "models/training") in path.parents:
                continue
            lazy_allowed = path in (ROOT / "models/__main__.py", *(ROOT / "cli").glob("*.py"))
            tree = _tree(path)
            looked_at = ast.Module(body=_top_level(tree), type_ignores=[]) if lazy_allowed else tree
            wrong += [
                f"{_where(path, line)} imports {name}"
                for name, line in _imports(looked_at, path)
                if name.startswith("models.training")
            ]
    assert wrong == []


def _top_level(tree: ast.Module) -> list[ast.stmt]:
    """What runs when the module is imported: no function bodies, nothing that is there for the type checker only."""
    later = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [node for node in tree.body if not isinstance(node, later) and not _is_for_type_checker(node)]


def _is_for_type_checker(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def test_only_one_file_imports_the_serial_library() -> None:
    found = {
        str(path.relative_to(ROOT))
        for package in OURS
        for path in _modules(package)
        for name, _ in _imports(_tree(path), path)
        if name.split(".")[0] == "serial"
    }
    assert found <= {"firmware_bridge/serial_port.py"}


def test_the_command_line_imports_no_package_until_it_is_called() -> None:
    tree = _tree(ROOT / "cli/__main__.py")
    found = {name.split(".")[0] for name, _ in _imports(tree, ROOT / "cli/__main__.py")}
    assert found <= {"cli", "runtime"} | sys.stdlib_module_names


def test_the_table_finds_what_it_is_made_to_find() -> None:
    """The instrument itself: a core with a clock, and a package that looks over the fence."""
    assert _is_impure(ast.parse("datetime.now()", mode="eval").body.func)
    assert _is_impure(ast.parse("open('x')", mode="eval").body.func)
    assert _is_impure(ast.parse("time.time()", mode="eval").body.func)
    assert not _is_impure(ast.parse("link.open(now_ms)", mode="eval").body.func)
    names = [name for name, _ in _imports(ast.parse("from central.core import restock"), ROOT / "edge/x.py")]
    assert names == ["central.core.restock"]
