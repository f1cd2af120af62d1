"""The heap, kept small, and looked through seldom: threads that each keep their own free memory cost more than they gain."""

import ctypes
import gc

_M_ARENA_MAX = -8
"""glibc, mallopt(3): threads share one arena instead of keeping free memory each for itself."""
_M_MMAP_THRESHOLD = -3
LARGE_BYTES = 131_072
"""glibc's first threshold, held: left alone it grows with each large block that is freed, and such blocks then stay."""

_NEW_OBJECTS, _YOUNG_TURNS, _OLD_TURNS = 20_000, 20, 20
"""Between two looks for circles, and how many of those go before older objects are looked at. Python's 700, 10 and 10 are for
programs with little in memory: a look through a chain of stores takes a tenth of a second, in the midst of an answer."""


def use_one_heap() -> None:
    """Call before threads start. Does nothing where the C library is not glibc."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_ARENA_MAX, 1)
        libc.mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)


def give_back_memory() -> None:
    """Hands pages that a large message left free back to the system."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)


def keep_what_is_loaded() -> None:
    """Call when a process has started: what it has by now stays, and is not looked through again for circles."""
    gc.set_threshold(_NEW_OBJECTS, _YOUNG_TURNS, _OLD_TURNS)
    gc.collect()
    gc.freeze()
