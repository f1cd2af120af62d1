"""Errors of the gateway, named by who must act."""


class EdgeError(Exception):
    """Root of what this package raises."""


class DiskError(EdgeError):
    """Retry: the disk refused a write. Nothing was saved and nothing was acknowledged; room or time may heal it."""


class CorruptStoreError(EdgeError):
    """The database file is damaged: it is set aside, and a new epoch begins."""
