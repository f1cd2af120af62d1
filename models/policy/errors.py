"""What the replenishment policy's commands raise."""

from models.errors import ModelsError


class InstanceError(ModelsError):
    """The operator must act: an instance says what cannot be. field, why, next_step: what is wrong and what to write."""

    def __init__(self, field: str, why: str, next_step: str) -> None:
        super().__init__(f"instance: {field}: {why}; write {next_step}")
        self.field = field
        self.why = why
        self.next_step = next_step


class TrainingConfigError(ModelsError):
    """The operator must act: the file that says how to train is wrong. field, why, next_step: as above."""

    def __init__(self, field: str, why: str, next_step: str) -> None:
        super().__init__(f"training of the policy: {field}: {why}; write {next_step}")
        self.field = field
        self.why = why
        self.next_step = next_step
