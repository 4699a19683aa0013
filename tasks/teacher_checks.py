"""What a teacher and the loss that reads it need of each other."""

from typing import Any

from tasks.errors import ConfigError
from tasks.losses._contract import needs_of
from tasks.variants import kind_of

NEED = "token column chosen.teacher"


def check_teacher(training: Any) -> None:
    """Raise ConfigError for a loss without its teacher, or a teacher that nothing reads."""
    loss, teacher = training.loss, training.teacher
    wanted = NEED in needs_of(loss)
    if wanted and teacher is None:
        raise ConfigError(
            f"the loss {kind_of(loss)!r} follows a teacher, and training.teacher is null; write "
            "training.teacher: {kind: contrastive}, or {kind: guided}"
        )
    if teacher is None:
        return
    if not wanted:
        raise ConfigError(
            f"training.teacher is {kind_of(teacher)!r}, but the loss {kind_of(loss)!r} follows no "
            "teacher; leave it out, or take inverse_q"
        )
    if training.max_prompt_tokens is not None:
        raise ConfigError(
            f"training.max_prompt_tokens is {training.max_prompt_tokens}, and cutting a prompt "
            "would cut the teacher's instruction; set it to null: what is longer than "
            "training.max_tokens is dropped and counted"
        )
