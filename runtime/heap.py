"""The C library's heap, kept small: threads that each keep their own free memory cost more than they gain."""

import ctypes

_M_ARENA_MAX = -8
"""glibc, mallopt(3)."""


def use_one_heap() -> None:
    """Call before threads start. Does nothing where the C library is not glibc."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_ARENA_MAX, 1)


def give_back_memory() -> None:
    """Hands pages that a large message left free back to the system."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)
