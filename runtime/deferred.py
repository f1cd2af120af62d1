"""Modules that a library imports for a part of it that the process never uses: loaded when somebody does use them.

importlib.util.LazyLoader does not serve: the import statement itself looks at the module, and loads it.
"""

import importlib
import sys
from types import ModuleType


def defer(name: str) -> None:
    """Call before the library is imported. Does nothing when the module is loaded already."""
    if name not in sys.modules:
        sys.modules[name] = _Deferred(name)


def leave_out(name: str) -> None:
    """Call before the library is imported: its import of the module fails, as if that were not installed."""
    if name not in sys.modules:
        sys.modules[name] = None  # type: ignore[assignment]  # what the import statement reads as "there is none"


class _Deferred(ModuleType):
    def __getattr__(self, attribute: str) -> object:
        # What the import system and inspection look at on any module; a package's path is asked for by its submodules.
        if attribute.startswith("__") and attribute != "__path__":
            raise AttributeError(attribute)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), attribute)
