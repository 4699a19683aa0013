"""What no single section of a configuration can see: names and sections that must fit together."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tasks.canonical import digest
from tasks.early_stop import check_early_stop
from tasks.errors import ConfigError
from tasks.estimator_checks import check_estimator
from tasks.label_checks import check_labels, check_opinions
from tasks.label_noise import check_noise
from tasks.label_studio_settings import check_front_end
from tasks.loss_needs import check_needs
from tasks.teacher_checks import check_teacher
from tasks.training.settings import check_processes
from tasks.transforming import check_transforms, supplied_by, writers_of
from tasks.usage import paid_parts
from tasks.variants import kind_of, settings_of

if TYPE_CHECKING:
    from tasks.config import Config

SPLITS = ("dev", "held_out", "sealed")
"""Splits that rows without one may be drawn into."""


CHALLENGED = ("correction", "estimator", "pairs", "transforms", "replay", "training")
"""Sections in which a challenger may differ: what is done with the feedback."""

SMALLEST_MIXING = 0.5
"""Of bfloat16 weights: rounding takes away up to half of the distance between two numbers."""


def check_consistent(config: "Config") -> None:
    """Raise ConfigError for the first thing in `config` that cannot work."""
    _one_policy(config)
    _names(config)
    config.annotate.queue.check_judges(config.judges)
    _panels(config)
    check_labels(config)
    check_opinions(config)
    check_estimator(config)
    _evaluation(config)
    check_recorded(config.prompts.split_shares, config.matrix)
    check_transforms(config)
    supplied = supplied_by(config.transforms)
    check_needs(config.training.loss, config.training.references, supplied)
    check_teacher(config.training)
    _check_replay(config)
    check_processes(config.training)
    _check_without_effect(config.training)
    _check_microbatch(config.training.tokens_per_microbatch, config.training.max_tokens)
    check_noise(config.training, config.annotate)
    _check_prices(config)
    check_early_stop(config.refresh, config.evaluation.metrics)
    check_front_end(config.annotate.front_end, config.annotate.label_studio)


def check_challenger(settings: Mapping[str, Any]) -> None:
    """Raise ConfigError for a setting of the part of a round that champion and challenger share."""
    for key in settings:
        if key.partition(".")[0] not in CHALLENGED:
            raise ConfigError(
                f"challenger.set names {key}, but champion and challenger share prompts, responses "
                f"and verdicts and are measured alike; what may differ: {', '.join(CHALLENGED)}"
            )


def _check_prices(config: "Config") -> None:
    """A budget in money is none where a price is not known."""
    if not config.budget.limits_money:
        return
    paid = [(f"matrix.{name}", one, cell.model) for name, cell in config.matrix.items()
            for one in paid_parts(cell.engine)]  # fmt: skip
    sections = {"judges": config.judges, "evaluation.judges": config.evaluation.judges}
    for section, judges in sections.items():
        for name, judge in judges.items():
            paid += [(f"{section}.{name}", one, one.model) for one in paid_parts(judge)]
    for where, transform in writers_of(config.transforms):
        writer = transform.writer
        paid += [(where, one, writer.model) for one in paid_parts(writer.engine)]
    for where, part, model in paid:
        if config.terms.price_of(part, model) is None:
            raise ConfigError(
                f"budget limits money, but what {where} costs is not known: write prices: "
                f"{{{model!r}: [USD per million prompt tokens, USD per million completion tokens]}}"
                ", [0, 0] if it costs nothing"
            )


def check_recorded(shares: Mapping[str, float], matrix: Mapping[str, Any]) -> None:
    """Refuse shares that are none, and recorded cells with a system prompt: nobody is asked."""
    for name, cell in matrix.items():
        if cell.system and kind_of(cell.engine) == "recorded":
            raise ConfigError(
                f"matrix.{name} has a system prompt, but its responses are recorded; leave it out"
            )
    if unknown := sorted(shares.keys() - set(SPLITS)):
        raise ConfigError(
            f"prompts.split_shares names {unknown[0]!r}; allowed: {', '.join(SPLITS)}"
        )
    if sum(shares.values()) >= 1:
        raise ConfigError(
            f"prompts.split_shares sum to {sum(shares.values()):g}; below 1, so that train keeps "
            "some prompts"
        )


def _check_replay(config: "Config") -> None:
    """Refuse replay for a loss that reads what the round's reference itself answered."""
    loss = config.training.loss
    if config.replay is not None and "explored" in loss.OTHERS:
        raise ConfigError(
            f"the loss {kind_of(loss)!r} reads a response that the round's reference wrote to each "
            "prompt, and replayed prompts were answered by the policies of their own rounds; leave "
            "replay out"
        )


def _check_without_effect(training: Any) -> None:
    """Refuse settings that the loss would leave without effect."""
    loss = training.loss
    if training.stop_when_clipped is not None and not loss.CLIPS:
        raise ConfigError(
            f"training.stop_when_clipped is {training.stop_when_clipped}, but the loss "
            f"{kind_of(loss)!r} clips nothing; leave it out, or take dual_clip_dpo"
        )
    if training.live_reference is not None and not loss.USES_REFERENCE:
        raise ConfigError(
            f"training.live_reference is set, but the loss {kind_of(loss)!r} reads no reference; "
            "leave it out"
        )
    _check_mixing(training)


def _check_mixing(training: Any) -> None:
    """Of a small share of a small step, bfloat16 keeps nothing: the reference would stand still."""
    live, rounded = training.live_reference, training.dtype == "bfloat16"
    if live and rounded and not training.master_weights and live.mixing < SMALLEST_MIXING:
        raise ConfigError(
            f"training.live_reference.mixing is {live.mixing}, and weights of bfloat16 round such "
            f"small steps away; set training.master_weights=true, or mixing to {SMALLEST_MIXING} "
            "or more"
        )


def _check_microbatch(tokens: int, longest: int) -> None:
    """One pass must hold the longest example, whatever the data will be."""
    if tokens < longest:
        raise ConfigError(
            f"training.tokens_per_microbatch is {tokens}, below training.max_tokens: {longest}; a "
            "pass must hold the longest prompt with a response: raise the one or lower the other"
        )


def _one_policy(config: "Config") -> None:
    policies = [name for name, cell in config.matrix.items() if cell.model == "policy"]
    if len(policies) != 1:
        raise ConfigError(
            f"matrix has {len(policies)} cells with `model: policy` ({policies}); exactly one "
            "is needed: the current policy is always a cell"
        )


def _names(config: "Config") -> None:
    people = config.annotate.people
    reserved = {"prior": "the presumed order of cells", "estimator": "the setting estimator"}
    for name, what in reserved.items():
        if name in config.judges or name in people:
            raise ConfigError(f"the name {name!r} is reserved for {what}")
    shared = sorted(set(config.judges) & set(people))
    if shared:
        raise ConfigError(f"judges and annotate.people share the names {shared}; rename one")
    for name, person in people.items():
        if not hasattr(person, "compare"):
            raise ConfigError(
                f"annotate.people.{name} has SHAPE {person.SHAPE!r}; simulated people compare by "
                "themselves: use simulated or rule, and put models and recorded verdicts into "
                "judges (recorded with by: human)"
            )


def _panels(config: "Config") -> None:
    """Members of a panel speak of the same comparisons; each would choose its own."""
    asked = (
        ("judges", config.judges, config.comparisons),
        ("evaluation.judges", config.evaluation.judges, config.evaluation.comparisons),
    )
    for section, judges, rule in asked:
        for name, judge in judges.items():
            if judge.SHAPE == "panel" and rule.ADAPTIVE:
                raise ConfigError(
                    f"{section}.{name} is a panel, but the comparison rule {kind_of(rule)!r} "
                    "chooses by what each judge said: members would compare other responses; take "
                    "a rule of one wave (all, neighbours, policy_against_rest)"
                )


def _evaluation(config: "Config") -> None:
    known = config.evaluation.judges
    for name, metric in config.evaluation.metrics.items():
        judge = getattr(metric, "judge", None)
        if judge is not None and judge not in known:
            raise ConfigError(
                f"evaluation.metrics.{name} asks the judge {judge!r}; evaluation.judges has: "
                f"{', '.join(known) or 'none'}"
            )
    labelling = {digest(settings_of(one)): name for name, one in config.judges.items()}
    for name, judge in known.items():
        if judge.SHAPE == "recorded":
            raise ConfigError(
                f"evaluation.judges.{name} is recorded, but nobody has judged answers that are "
                "yet to be sampled; use a judge that compares, scores or is asked"
            )
        if twin := labelling.get(digest(settings_of(judge))):
            raise ConfigError(
                f"evaluation.judges.{name} is the labelling judge {twin!r}; the gate needs "
                "another opinion than the one the policy was trained on"
            )
