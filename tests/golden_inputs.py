"""Inputs that never change, on which every variant is measured."""

from typing import Any

TEXTS = [
    *("", " ", "fox", "Fox", "FOX!", "a fox.", "the fox and the fox", "apple, pear, plum"),
    *("Apple, Pear, Plum", "APPLE; PEAR; PLUM", "1. apple\n2. pear\n3. plum", "- apple\n- pear"),
    *(
        "plum, pear, apple",
        "pear",
        "pear, pear",
        "apple | pear",
        "42",
        "The answer is 42.",
        "\\boxed{18}",
        "so it is 18.0",
    ),
    *("so 3 + 4 = 7\n#### 7", "-1.5", "1,000", "word " * 60, "x" * 400, "no. yes!", "Ende ÄÖÜ?"),
    *("cat, dog, hen", "one two three", "```\ncode\n```", "a,b;c", "Name: fox", "fox?\n"),
]
REPLIES = [
    *("Verdict: A", "Verdict: B", "Verdict: tie", "verdict: a", "**Verdict: B**", "", "A"),
    *("Fine.\nScore: 4", "Score: 4/5", "Fine.\naccuracy: 5\nclarity: 2", "accuracy: 5"),
    *("Both fine.\nVerdict: A", "Verdict: A\nVerdict: B", "Verdict: A\nthank you", "Verdict: C"),
]
CHECKS = [
    {"kind": "contains", "text": "fox"},
    {"kind": "length", "at_most": 3},
    {"kind": "number_of_items", "count": 3},
]


def loss_inputs(loss: Any) -> Any:
    """Four examples with all that `loss` needs: at the reference, inside and beyond the bounds."""
    import torch

    from tasks.training.loss_batch import Degrees, LossBatch, Side

    def table(values: list[Any]) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.float64)

    def side(logps: list[Any], apart: list[float], lengths: list[int], name: str) -> Side:
        tokens, mask = table(logps), table([[1] * n + [0] * (3 - n) for n in lengths])
        reference = tokens - table(apart)[:, None]
        names = [column for place, column in loss.TOKEN_COLUMNS if place == name]
        marks = table([[0, 1, 1]] * 4) * mask
        return Side(
            logps=tokens,
            mask=mask,
            reference=torch.stack([reference, 1.1 * reference][: 1 + (loss.REFERENCES == "many")]),
            columns={one: -marks if one == "teacher" else marks for one in names},
        )

    chosen = [[-1.0, -2.0, -3.0], [-1.0, -0.5, 0.0], [-0.1, 0.0, 0.0], [-9.0, -9.0, -9.0]]
    rejected = [[-2.0, -2.0, 0.0], [-1.5, 0.0, 0.0], [-60.0, 0.0, 0.0], [-1.0, -1.0, -1.0]]
    second = side(rejected, [0, -0.25, -30, 3], [2, 1, 1, 3], "rejected")
    degrees = Degrees(
        logits=table([[0.0, 0.5, 1.0]] * 4),
        labels=torch.tensor([0, 1, 2, 0]),
        pairs=torch.tensor([0, 0, 1, 3]),
    )
    return LossBatch(
        chosen=side(chosen, [0, 0.5, 25, -4], [3, 2, 1, 3], "chosen"),
        rejected=second if loss.EXAMPLES_KIND == "pair" else None,
        columns={name: table([1, 0.5, 2, 1]) for name in loss.REQUIRES},
        others=dict.fromkeys(loss.OTHERS, second),
        degrees=degrees,
    )
