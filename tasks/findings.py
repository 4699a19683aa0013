"""What a diagnosis may say of a training: how bad it is, what it means, what to do."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Level = Literal["act", "watch", "fine"]
LEVELS: tuple[Level, ...] = ("act", "watch", "fine")
"""From what should be looked at first."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that the numbers of a training say."""

    level: Level
    """act: it does harm; watch: it may, or cannot be told; fine: it looks bad and is not."""
    title: str
    seen: str
    """The numbers."""
    meaning: str
    next_step: str


class Words(NamedTuple):
    """A finding without its numbers; braces are filled in by the diagnosis."""

    level: Level
    title: str
    meaning: str
    next_step: str


def finding(name: str, seen: str, **facts: str) -> Finding:
    """The finding `name` of WORDS with its numbers."""
    words = WORDS[name]
    return Finding(
        level=words.level,
        title=words.title.format(**facts),
        seen=seen,
        meaning=words.meaning.format(**facts),
        next_step=words.next_step.format(**facts),
    )


_GENTLER = (
    "lower the clip of the rejected side first (training.loss.rejected_floor nearer to 0), then "
    "add an SFT term (training.loss.sft_weight), then train less (training.epochs)."
)

WORDS = {
    "chosen_falls_harmless": Words(
        "fine",
        "Chosen responses become less likely in training, and it does no harm",
        "The loss pushes both sides of its own pairs down, the rejected one more. Good responses "
        "that it was not trained on are no less likely than before: nothing was unlearnt.",
        "Nothing to do.",
    ),
    "chosen_falls_harmful": Words(
        "act",
        "Good responses become less likely, and it does harm",
        "Chosen responses fall on training pairs and on held-out ones alike: probability goes to "
        "texts that nobody preferred.",
        f"In this order: {_GENTLER}",
    ),
    "chosen_falls_elsewhere": Words(
        "act",
        "Good responses become less likely where they were not trained on",
        "Training batches do not show it: the policy learns its pairs by heart and loses others.",
        "Train less (training.epochs, training.learning_rate), or on more prompts "
        f"(prompts.per_round). If that does not help: {_GENTLER}",
    ),
    "chosen_falls_unclear": Words(
        "watch",
        "Chosen responses become less likely; held-out pairs are too few to tell whether it harms",
        "On held-out pairs neither a fall nor its absence is beyond chance.",
        "Hold more pairs out (pairs.held_out_share), and look at this again after the next round.",
    ),
    "chosen_falls_unknown": Words(
        "watch",
        "Chosen responses become less likely; nothing tells whether it harms",
        "Held-out pairs decide: it is harmless where their chosen responses stay as likely.",
        "Hold some pairs out (pairs.held_out_share).",
    ),
    "ended_clipped": Words(
        "fine",
        "Training ended early: its pairs have taught what the bounds allow",
        "A pair that is clipped on both sides has no gradient: more steps would have changed "
        "little.",
        "Go on with the next round, whose responses the new policy writes. If this comes after a "
        "few steps each time, widen the bounds (training.loss.chosen_ceiling, "
        "training.loss.rejected_floor) or lower training.learning_rate.",
    ),
    "clipped": Words(
        "watch",
        "Most pairs were clipped on both sides, and training went on",
        "They have no gradient: the steps from there on were spent on the other pairs.",
        "Set training.stop_when_clipped to {limit}: the round would have ended at step {step}, and "
        "the next one has fresh responses.",
    ),
    "length_taught": Words(
        "act",
        "Responses grow longer, and the pairs teach it",
        "Length alone tells chosen from rejected in many of these pairs, and the policy has learnt "
        "it.",
        "Even the pairs out (length_balance in pairs.filters), or let length count less "
        "(training.loss.length_normalised).",
    ),
    "length_drift": Words(
        "watch",
        "Responses grow {way}, and the pairs' lengths do not explain it",
        "A judge's taste may, or a policy that stops too late or too early.",
        "Read the report's samples, and guard a length metric (evaluation.metrics, "
        "refresh.guards).",
    ),
    "length_gap": Words(
        "watch",
        "Chosen responses are much longer than rejected ones",
        "Length is a shortcut that the policy may learn in place of what makes them better.",
        "Even the pairs out (length_balance in pairs.filters), and watch the length of responses.",
    ),
    "solved": Words(
        "watch",
        "Most pairs are solved",
        "More steps on them change little; the few that are left decide the direction.",
        "Train less on them (training.epochs) and do the next round sooner, on fresh responses.",
    ),
    "entropy_collapse": Words(
        "act",
        "The policy's entropy collapses",
        "The policy says ever fewer things: samples of the next round will be near-copies of each "
        "other and make few pairs.",
        "Train less (training.learning_rate, training.epochs), hold it closer to the reference (a "
        "larger training.loss.beta), and add other cells to the matrix.",
    ),
    "far_from_reference": Words(
        "act",
        "The policy is far from its reference",
        "It reaches its rewards by leaving the reference behind; what the reference could do "
        "besides is likely to be lost.",
        "Hold it closer: a larger training.loss.beta, bounds nearer to 0 "
        "(training.loss.chosen_ceiling, training.loss.rejected_floor), a lower "
        "training.learning_rate or fewer training.epochs.",
    ),
    "gradient_spikes": Words(
        "watch",
        "The gradient's norm has spikes",
        "A few examples pull much harder than the others. Each such step was scaled down to "
        "training.max_grad_norm, but its direction is theirs.",
        "At the beginning: a longer warm-up (training.warmup_share). Later: look for odd pairs "
        "(very long, wrongly labelled), or lower training.max_grad_norm.",
    ),
    "not_learning": Words(
        "act",
        "Nothing is learnt: the margin does not rise",
        "Steps are too small or too few, or the pairs contradict each other.",
        "Raise training.learning_rate three to ten times, or training.epochs; if that does not "
        "help, read some pairs (tso show RUN ROUND pair --as text) and look at how far judges "
        "agree.",
    ),
}
"""By name; settings are written as a preset has them."""
