"""What variants that look beyond one round return on inputs that never change."""

from typing import Any

from tasks.replays._contract import Remembered


def of_replay(replay: Any) -> Any:
    """What it keeps and draws of twelve pairs of three rounds, some replayed before."""
    memory = [
        Remembered(
            pair_id=f"pair{number}",
            prompt_id=f"p{number // 2}",
            chosen_id=f"c{number}",
            rejected_id=f"r{number}",
            round_index=number // 4,
            times_replayed=number % 3,
        )
        for number in range(12)
    ]
    kept = replay.kept(memory, 3)
    drawn = replay.drawn(kept, 8, 5, 3)
    return [[one.pair_id for one in kept], [one.pair_id for one in drawn], replay.decay]


def of_teacher(teacher: Any) -> Any:
    """Its aims for three tokens, and what the reference is told."""
    told = teacher.instructions
    said = {name: [-0.5 * place, -2.0, -0.25] for place, name in enumerate(told, start=1)}
    aims = teacher.aims([-1.0, -2.0, -4.0], said)
    return [[round(one, 6) for one in aims], told, teacher.turn]
