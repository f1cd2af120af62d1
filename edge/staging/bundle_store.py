"""Bundles on the disk, one folder each by its sha256, and the file that says which of them runs.

bundles/state.json              written whole or not at all
bundles/<sha256>/manifest.json  a folder has its final name only once it is whole and synced
bundles/<sha256>.part/          what a crash left; removed at the next start
"""

import base64
import binascii
import hashlib
import shutil
from pathlib import Path

from contract.documents import MAX_BUNDLE_BYTES, BundleDocument
from contract.errors import MalformedMessageError
from edge.staging.durable import sync_folder, write_file, write_synced
from edge.staging.stage_state import StageState
from models.errors import BundleError
from models.manifest import MANIFEST_FILE
from runtime.logs import Log

log = Log("edge.staging")

STATE_FILE = "state.json"
_SEND_AGAIN = "publish the bundle again at the centre"


class BundleStore:
    """Constructing only stores; `open` makes the folder. OSError comes through: what it means, the stage knows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self) -> StageState:
        """Removes what a crash left, and reads the state; a damaged one is as none: the installed bundle runs."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.glob("*.part"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        path = self.folder / STATE_FILE
        try:
            return StageState.from_json(path.read_bytes(), str(path))
        except FileNotFoundError:
            return StageState()
        except MalformedMessageError as error:
            log.warning("the record of bundles is damaged, the installed bundle runs", reason=str(error))
            path.replace(path.with_suffix(".damaged"))
            return StageState()

    def save(self, state: StageState) -> None:
        write_file(self.folder / STATE_FILE, state.to_json())

    def path(self, sha256: str) -> Path:
        return self.folder / sha256

    def has(self, sha256: str) -> bool:
        return (self.folder / sha256).is_dir()

    def stored(self) -> set[str]:
        if not self.folder.is_dir():
            return set()
        return {path.name for path in self.folder.iterdir() if path.is_dir() and len(path.name) == 64}

    def begin(self, document: BundleDocument) -> Path:
        """The bundle's files in a folder that does not count yet. Raises BundleError when they are not what they say."""
        part = self.folder / f"{document.sha256}.part"
        contents = _decoded(document, part)
        if part.exists():
            shutil.rmtree(part)
        part.mkdir()
        for name, content in contents.items():
            write_synced(part / name, content)
        sync_folder(part)
        return part

    def finish(self, sha256: str) -> None:
        """From now on the bundle counts as stored."""
        (self.folder / f"{sha256}.part").replace(self.folder / sha256)
        sync_folder(self.folder)

    def abandon(self, sha256: str) -> None:
        shutil.rmtree(self.folder / f"{sha256}.part", ignore_errors=True)

    def keep_only(self, wanted: set[str]) -> None:
        """Removes the others; a removal that a crash cuts short is finished at the next start."""
        for sha256 in self.stored() - wanted:
            gone = self.folder / f"{sha256}.part"
            shutil.rmtree(gone, ignore_errors=True)
            (self.folder / sha256).replace(gone)
            shutil.rmtree(gone, ignore_errors=True)


def _decoded(document: BundleDocument, where: Path) -> dict[str, bytes]:
    contents = {}
    for name, text in document.files.items():
        try:
            contents[name] = base64.b64decode(text, validate=True)
        except binascii.Error as error:
            raise BundleError("files", where / name, f"it is no base64 ({error})", _SEND_AGAIN) from None
    total = sum(map(len, contents.values()))
    if total > MAX_BUNDLE_BYTES:
        why = f"the bundle has {total} bytes; at most {MAX_BUNDLE_BYTES} are taken"
        raise BundleError("files", where, why, "train a smaller one")
    found = hashlib.sha256(contents.get(MANIFEST_FILE, b"")).hexdigest()
    if found != document.sha256:
        why = f"its sha256 is {found[:12]}…, the centre says {document.sha256[:12]}…"
        raise BundleError("files", where / MANIFEST_FILE, why, _SEND_AGAIN)
    return contents
