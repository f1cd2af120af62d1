"""What PostgreSQL's driver must know: whole numbers stay whole, and a text keeps no NUL, which the server refuses."""

from typing import Any

from psycopg.adapt import Buffer, Dumper
from psycopg.types.numeric import NumericLoader
from psycopg.types.string import StrDumper, StrDumperUnknown


class _NumberLoader(NumericLoader):
    """sum() of integers is `numeric` there, an integer on SQLite."""

    def load(self, data: Buffer) -> Any:
        number = super().load(data)
        return int(number) if number == number.to_integral_value() else float(number)


def _without_nul(base: type[Dumper]) -> type[Dumper]:
    class WithoutNul(base):  # type: ignore[valid-type,misc]
        """A till may send any character; U+FFFD says that one stood there."""

        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", "\ufffd") if "\0" in obj else obj)

    return WithoutNul


_DUMPERS = (_without_nul(StrDumper), _without_nul(StrDumperUnknown))


def set_up_connection(connection: Any, _record: object) -> None:
    connection.adapters.register_loader("numeric", _NumberLoader)
    for dumper in _DUMPERS:
        connection.adapters.register_dumper(str, dumper)
