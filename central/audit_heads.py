"""The ends of the audit's chains in a file, kept apart from the ledger: a chain cannot tell that its own end was cut off."""

import json
import os
from pathlib import Path

from central.ledger.audit_check import Heads
from runtime.errors import OperatorError

FORMAT = "shelfloop-audit-heads-1"


def heads_from(path: Path | None) -> Heads:
    """Those that an earlier run kept; none when there is no such file yet. Raises OperatorError for one that is none."""
    if path is None or not path.exists():
        return {}
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        heads = {str(store): (int(number), str(digest)) for store, (number, digest) in read[FORMAT].items()}
    except OSError as error:
        raise OperatorError(f"--heads {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OperatorError(f"--heads {path}: not what `audit verify --heads` wrote ({error})") from None
    return heads


def write_heads(path: Path, heads: Heads) -> None:
    """The file is the old or the new one, whole."""
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            json.dump({FORMAT: dict(heads)}, file, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OperatorError(f"--heads {path}: {error.strerror}; the ends were not kept") from None
