"""Where a secret goes that is shown once: standard output, or a file for its owner's eyes only."""

import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from runtime.errors import OperatorError


class SecretPlace:
    """Entered before the secret is made: a path that cannot be written changes nothing, and an old key goes on working.

    path: None prints the secret. What was there is replaced whole when the secret is put, and never touched otherwise.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._beside: Path | None = None

    def __enter__(self) -> Self:
        if self._path is None:
            return self
        try:
            if self._path.is_dir():
                raise IsADirectoryError(0, "Is a directory")
            descriptor, name = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
            os.close(descriptor)
            self._beside = Path(name)
        except OSError as error:
            raise OperatorError(
                f"{self._path}: {error.strerror}; nothing was changed, name a file that can be written"
            ) from None
        return self

    def put(self, secret: str) -> None:
        if self._path is None or self._beside is None:
            print(secret)
            return
        try:
            with self._beside.open("w", encoding="utf-8") as file:
                file.write(secret + "\n")
                file.flush()
                os.fsync(file.fileno())
            self._beside.replace(self._path)
        except OSError as error:
            raise OperatorError(
                f"{self._path}: {error.strerror}; the secret was not shown, make a new one"
            ) from None
        self._beside = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._beside is not None:
            self._beside.unlink(missing_ok=True)
