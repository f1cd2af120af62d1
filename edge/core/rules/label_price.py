"""Labels that show another price than the list, for longer than a radio needs."""

from pydantic import TypeAdapter

from edge.core.esl import Labels
from edge.core.rows import Row, Rows

LABEL_MISMATCH = "label-mismatch"


class WrongLabels:
    """Since when each label has shown something else than it should."""

    def __init__(self) -> None:
        self.rows: Rows[int] = Rows("wrong-label", TypeAdapter(int))

    def look(self, labels: Labels, now_ms: int) -> dict[str, int]:
        """Tag -> since when, of the labels that are wrong now."""
        wrong = labels.wrong_tags()
        for tag in [tag for tag in self.rows.by_key if tag not in wrong]:
            self.rows.drop(tag)
        for tag in wrong:
            if self.rows.get(tag) is None:
                self.rows.put(tag, now_ms)
        return {tag: self.rows.by_key[tag] for tag in sorted(wrong)}

    def changed(self) -> list[Row]:
        return self.rows.changed()
