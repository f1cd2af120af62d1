"""An entry of the audit when the centre starts with other settings than at its last start: which are set, and a digest of all."""

from central.context import Work
from central.core.audit_chain import digest_of
from central.ledger import restock_rows
from central.settings import CentralSettings

ACTION = "settings"


def note_settings(work: Work) -> bool:
    """Whether they are new. Values are not shown: some are addresses, and the digest is enough to compare with a file."""
    about = settings_values(work.settings)
    if restock_rows.newest_digest(work.connection, work.store.store, ACTION) == digest_of(about):
        return False
    named = ", ".join(sorted(work.settings.model_fields_set))
    work.audit("the operator", ACTION, "central.toml", f"set: {named}"[:300], about=about)
    return True


def settings_values(settings: CentralSettings) -> dict[str, object]:
    """Each setting as JSON; secrets and the password in the database's address are left out."""
    values = settings.model_dump(mode="json", exclude={"influx_token"})
    return {**values, "database_url": settings.database_url.split("@")[-1]}
