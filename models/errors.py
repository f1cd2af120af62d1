"""Errors of this package, named by who must act."""

from pathlib import Path


class ModelsError(Exception):
    """Root of what this package raises, ValueError of a caller's wrong shape apart."""


class BundleError(ModelsError):
    """The operator must act: a bundle is not what it says, and is not used.

    check: which check failed, such as `signature`. path: the file that failed it. next_step: what to do.
    """

    def __init__(self, check: str, path: Path, why: str, next_step: str) -> None:
        super().__init__(f"bundle check {check!r} failed at {path}: {why}; {next_step}")
        self.check = check
        self.path = path
        self.why = why
        self.next_step = next_step


class TrainingDataError(ModelsError):
    """The operator must act: the table cannot be trained on."""
