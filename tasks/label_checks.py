"""What settings of opinions and of labels need elsewhere in a configuration."""

from typing import TYPE_CHECKING

from tasks.errors import ConfigError
from tasks.variants import kind_of

if TYPE_CHECKING:
    from tasks.config import Config, PairsSection


def check_labels(config: "Config") -> None:
    """Raise ConfigError for labels that nothing reads, and for pairs that nothing makes."""
    pairs, loss = config.pairs, config.training.loss
    if pairs.labels is None:
        if pairs.rule is None:
            raise ConfigError(
                "pairs.rule is null and so is pairs.labels, so that nothing would be trained on; "
                "name a pair rule, or how single responses get their label"
            )
        return
    if loss.EXAMPLES_KIND == "pair":
        raise ConfigError(
            f"pairs.labels is {kind_of(pairs.labels)!r}, but the loss {kind_of(loss)!r} trains on "
            "pairs and would read no label; leave pairs.labels out, or take a loss on single "
            "responses (kto, sppo, sft)"
        )
    if config.replay is not None:
        raise ConfigError(
            f"replay is {kind_of(config.replay)!r}, which draws pairs, but the round trains on the "
            f"labels of {kind_of(pairs.labels)!r}; set replay=null, or pairs.labels=null"
        )
    if config.transforms:
        raise ConfigError(
            f"transforms has {kind_of(config.transforms[0])!r}, which edits pairs, but the round "
            f"trains on the labels of {kind_of(pairs.labels)!r}; set transforms=[], or "
            "pairs.labels=null"
        )
    _check_pair_settings(config)
    _check_scores(config)


def _check_scores(config: "Config") -> None:
    """Refuse thumbs that nobody gives."""
    labels, annotate = config.pairs.labels, config.annotate
    if labels is None or labels.READS != "opinions":
        return
    for name in labels.judges:
        judge = config.judges.get(name)
        if judge is None or not (hasattr(judge, "scale") or judge.SHAPE == "recorded"):
            scoring = [one for one, some in config.judges.items() if hasattr(some, "scale")]
            raise ConfigError(
                f"pairs.labels.judges names {name!r}, which gives no scores; judges that do: "
                f"{', '.join(scoring) or 'none, add one (rule, likert, reward_model)'}"
            )
    people = [one for one in config.judges.values() if getattr(one, "by", "") == "human"]
    if not (labels.judges or annotate.verdict_files or people):
        raise ConfigError(
            f"pairs.labels is {kind_of(labels)!r}, but nobody gives a thumb; name tables with "
            "people's thumbs in annotate.verdict_files, or judges with thresholds in "
            "pairs.labels.judges"
        )


def check_opinions(config: "Config") -> None:
    """Raise ConfigError where nobody has an opinion, and the prior does not count."""
    annotate = config.annotate
    if annotate.budget and not annotate.asks_people:
        raise ConfigError(
            f"annotate.budget is {annotate.budget}, but annotate.front_end is none and "
            "annotate.people names nobody; say where people answer, or leave the budget out"
        )
    if annotate.budget and config.comparisons.ADAPTIVE and not config.judges:
        raise ConfigError(
            f"comparisons.kind {kind_of(config.comparisons)!r} chooses by judges' verdicts, but "
            "there are no judges, so people would see nothing; add a judge, or take a rule of one "
            "wave (all, neighbours, policy_against_rest)"
        )
    silent = _needs_opinions(config.pairs) and not (
        config.judges or annotate.budget or annotate.verdict_files
    )
    if silent and config.correction.uncompared == "drop":
        raise ConfigError(
            "there are no judges, people or verdict files, so every comparison would be dropped; "
            "add a judge, or let the presumed order count: correction.uncompared=prior"
        )


def _needs_opinions(pairs: "PairsSection") -> bool:
    """Whether anybody has to say anything about responses for the round to train."""
    return pairs.labels is None or pairs.rule is not None or pairs.labels.READS != "nothing"


def _check_pair_settings(config: "Config") -> None:
    """Refuse settings about pairs that have no effect beside labels."""
    for one in config.pairs.filters:
        if config.pairs.rule is None or one.STAGE == "scored":
            raise ConfigError(
                f"pairs.filters has {kind_of(one)!r}, but the round trains on the labels of "
                f"{kind_of(config.pairs.labels)!r}, which filters of pairs do not drop; set "
                "pairs.filters=[]"
            )
    if config.pairs.rule is None and config.pairs.selection is not None:
        raise ConfigError(
            "pairs.selection chooses what the pair rule sees, and pairs.rule is null; leave it "
            "out, or name a pair rule"
        )
    if config.pairs.rule is None and config.quotas.retire_after is not None:
        raise ConfigError(
            "quotas.retire_after counts the pairs that a cell is needed for, and pairs.rule is "
            "null; leave it out, or name a pair rule"
        )
