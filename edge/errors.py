"""Errors of the gateway, named by who must act."""


class EdgeError(Exception):
    """Root of what this package raises."""


class DiskError(EdgeError):
    """Retry: the disk refused a write. Nothing was saved and nothing was acknowledged; room or time may heal it."""


class CorruptStoreError(EdgeError):
    """The database file is damaged: it is set aside, and a new epoch begins."""


class DamagedRowError(EdgeError):
    """A row of the outbox is not what was written: it is declared lost, and the rest goes on."""

    def __init__(self, epoch: str, seq: int) -> None:
        super().__init__(f"row {seq} of epoch {epoch} is not what was written")
        self.epoch, self.seq = epoch, seq
