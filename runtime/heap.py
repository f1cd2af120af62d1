"""The C library's heap, kept small: threads that each keep their own free memory cost more than they gain."""

import ctypes

_M_ARENA_MAX = -8
"""glibc, mallopt(3): threads share one arena instead of keeping free memory each for itself."""
_M_MMAP_THRESHOLD = -3
LARGE_BYTES = 131_072
"""glibc's first threshold, held: left alone it grows with each large block that is freed, and such blocks then stay."""


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
