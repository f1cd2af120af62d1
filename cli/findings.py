"""What a check of the doctor found: fine, worth a look, or broken, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """about: which thing was looked at. what: what is so. advice: the next step, "" when there is none."""

    level: Level
    about: str
    what: str
    advice: str = ""

    def line(self) -> str:
        advice = f"\n        → {self.advice}" if self.advice else ""
        return f"{self.level.value:5} {self.about}: {self.what}{advice}"


def ok(about: str, what: str) -> Finding:
    return Finding(Level.OK, about, what)


def warn(about: str, what: str, advice: str) -> Finding:
    return Finding(Level.WARN, about, what, advice)


def fail(about: str, what: str, advice: str) -> Finding:
    return Finding(Level.FAIL, about, what, advice)
