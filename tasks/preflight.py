"""What has to be right before a round begins, as a list of named checks; the outside is handed in.

`tso check` does all of them and goes on after a problem; a run stops at the first.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from tasks.challenger import recipes_of
from tasks.config import CellSection, Config
from tasks.contest import CHALLENGER
from tasks.errors import ConfigError
from tasks.model_matrix import of_the_run
from tasks.placement import LOCAL, Spot
from tasks.preflight_files import encoder_checks, file_checks, look_at_file
from tasks.preflight_terms import Check as Check
from tasks.preflight_terms import Outside as Outside
from tasks.recorded_thumbs import check_said
from tasks.recorded_verdicts import check_text_row
from tasks.records import Checkpoint
from tasks.references import ESTIMATOR_OF, OWN, ModelsOfRun, check_reference, named_model
from tasks.reward_rows import check_human_pair
from tasks.transforming import writers_of
from tasks.transforms._contract import check_continues
from tasks.variants import kind_of

BASE_MODEL = "run.base_model"


def checks_of(config: Config, outside: Outside) -> list[Check]:
    """Store, models, files, keys and templates that `config` names."""
    return [
        Check(name="store", look=lambda: f"{outside.store()} can be read and written"),
        *_placement_checks(config, outside),
        Check(name=BASE_MODEL, look=lambda: _facts(_sft(config, outside))),
        *_cell_checks(config, outside),
        *_writer_checks(config, outside),
        *_training_checks(config, outside),
        *_judge_checks(config, outside),
        *_estimator_checks(config, outside),
        *_challenger_checks(config, outside),
        *file_checks(config, outside),
        *encoder_checks(config.diversity.embedder, outside),
    ]


def _placement_checks(config: Config, outside: Outside) -> Iterator[Check]:
    needs_worker = not config.placement.wait_for_workers
    for setting, verb, spot in config.placement.elsewhere:
        look = partial(outside.deployment, f"tso-{verb}/{spot.deployment}", needs_worker)
        yield Check(name=setting, look=look)


def _there(outside: Outside, spot: Spot) -> Outside:
    """What a worker has to have, keys and environments for servers, is not looked for here."""
    if spot.deployment == LOCAL:
        return outside
    return replace(outside, key=lambda name: None, server=lambda settings: None)


def _sft(config: Config, outside: Outside) -> Checkpoint:
    return outside.describe(config.run.base_model)


def _facts(model: Checkpoint) -> str:
    return f"{model.uri}, weights {model.sha256[:12]}"


def _challenger_checks(config: Config, outside: Outside) -> Iterator[Check]:
    """What the challenger names itself: it comes after all that both recipes share is paid for."""
    if config.challenger is None:
        return
    own = recipes_of(config)[CHALLENGER]
    parts = {
        "transforms": _writer_checks,
        "training": _training_checks,
        "estimator": _estimator_checks,
    }
    for section, checks in parts.items():
        if getattr(own, section) != getattr(config, section):
            for one in checks(own, outside):
                yield replace(one, name=f"challenger {one.name}")


def _cell_checks(config: Config, outside: Outside) -> Iterator[Check]:
    for name, cell in config.matrix.items():
        there = _there(outside, config.placement.of("sample", name))
        look = partial(_look_at_cell, f"matrix.{name}", cell, config, there)
        yield Check(name=f"matrix.{name}", look=look, needs=(BASE_MODEL,))


def _writer_checks(config: Config, outside: Outside) -> Iterator[Check]:
    for where, one in writers_of(config.transforms):
        there = _there(outside, config.placement.of("transform"))
        look = partial(_look_at_writer, where, one, config, there)
        yield Check(name=where, look=look, needs=(BASE_MODEL,))


def _training_checks(config: Config, outside: Outside) -> Iterator[Check]:
    for name in config.training.references:
        look = partial(_look_at_reference, name, config, outside)
        yield Check(name=f"training.references {name}", look=look, needs=(BASE_MODEL,))
    look = partial(_look_at_training, config, outside)
    yield Check(name="training.max_tokens", look=look, needs=(BASE_MODEL,))


def _look_at_cell(where: str, cell: CellSection, config: Config, outside: Outside) -> str:
    """Refuse a cell whose model or file is not there, or which claims to be the policy in vain."""
    policy = cell.model == "policy" or cell.origin == "policy"
    if not cell.engine.NEEDS_WEIGHTS:
        if policy:
            raise ConfigError(
                f"{where} samples the policy with an engine that holds no weights; use "
                "transformers, or another origin for responses that exist already"
            )
        answers = cell.engine.fingerprint(cell.model)
        outside.key(getattr(cell.engine, "api_key_env", ""))
        return f"{kind_of(cell.engine)}, {cell.model or answers[:12]}"
    adapter = getattr(cell.engine, "adapter", "")
    if policy and adapter:
        raise ConfigError(
            f"{where} has an adapter, so it is not the policy; write origin: model and the folder "
            "of a model"
        )
    cell.engine.fingerprint(cell.model)
    sft = _sft(config, outside)
    own = cell.model == "policy" or of_the_run(cell.model)
    model = sft if own else outside.describe(cell.model)
    if policy and (model.tokenizer, model.template) != (sft.tokenizer, sft.template):
        raise ConfigError(
            f"{where} has origin: policy, but tokenizer or chat template of {cell.model!r} are not "
            f"those of run.base_model ({sft.uri}); write origin: model"
        )
    _check_length(f"{where}.max_tokens", cell.max_tokens, model, outside)
    return f"{kind_of(cell.engine)}, {cell.model if own else _facts(model)}"


def _look_at_writer(where: str, transform: Any, config: Config, outside: Outside) -> str:
    """Refuse the writer of a transform whose model or file is not there, or reads other tokens."""
    writer, sft = transform.writer, _sft(config, outside)
    transform.version()  # reads the template
    engine = writer.engine
    answers = engine.fingerprint(writer.model)
    if not engine.NEEDS_WEIGHTS:
        outside.key(getattr(engine, "api_key_env", ""))
        return f"{kind_of(engine)}, {writer.model or answers[:12]}"
    own = writer.model == "policy" or of_the_run(writer.model)
    model = sft if own else outside.describe(writer.model)
    if transform.READS_TOKENS:
        check_continues(where, model, sft)
    return f"{kind_of(engine)}, {writer.model if own else _facts(model)}"


def _look_at_reference(name: str, config: Config, outside: Outside) -> str:
    """Refuse a further reference that is not there, or that reads texts in another way."""
    sft = _sft(config, outside)
    model = _model("training.references", name, config, outside)
    check_reference(name, model, sft, config.training.loss)
    return _shown_model(name, model)


def _shown_model(name: str, model: Checkpoint) -> str:
    return name if name in OWN or of_the_run(name) else _facts(model)


def _look_at_training(config: Config, outside: Outside) -> str:
    longest = config.training.max_tokens
    _check_length("training.max_tokens", longest, _sft(config, outside), outside)
    return f"{longest} tokens fit the model"


def _check_length(key: str, max_tokens: int | None, model: Checkpoint, outside: Outside) -> None:
    positions = outside.positions(model.uri)
    if positions is not None and max_tokens is not None and max_tokens > positions:
        raise ConfigError(
            f"{key} is {max_tokens}, but the model in {model.uri} has {positions} positions for "
            f"prompt and response together; set it to {positions} or less"
        )


def _judge_checks(config: Config, outside: Outside) -> Iterator[Check]:
    sections = {"judges": config.judges, "evaluation.judges": config.evaluation.judges}
    for section, judges in sections.items():
        for name, judge in judges.items():
            there = _there(outside, config.placement.of("judge", name))
            look = partial(_look_at_judge, f"{section}.{name}", judge, config, there)
            reads = hasattr(judge, "models") or getattr(judge, "server", None) is not None
            needs = (BASE_MODEL,) if reads else ()
            yield Check(name=f"{section}.{name}", look=look, needs=needs)


def _look_at_judge(where: str, judge: Any, config: Config, outside: Outside) -> str:
    """Reading the version reads the template, too."""
    if judge.SHAPE == "panel":
        members = judge.members.items()
        return "; ".join(
            f"{name}: {_look_at_judge(f'{where}.members.{name}', one, config, outside)}"
            for name, one in members
        )
    known = f"{kind_of(judge)}, version {judge.version()[:12]}"
    if judge.SHAPE == "recorded":
        outside.rows(judge.files, partial(check_said, keys=bool(judge.texts)))
        outside.rows(judge.texts, check_text_row)
        return f"{known}, {', '.join(source.file for source in judge.files)}"
    if hasattr(judge, "models"):
        return f"{known}, {_look_at_models(where, judge, config, outside)}"
    if judge.SHAPE != "asks":
        return known
    if getattr(judge, "server", None) is not None:
        outside.server(judge.server)
        model = _model(f"{where}.model", judge.model, config, outside)
        return f"{known}, served here: {_shown_model(judge.model, model)}"
    outside.key(judge.api_key_env)
    key = f"the key in {judge.api_key_env}" if judge.api_key_env else "no key"
    return f"{known}, {judge.model} with {key}"


def _look_at_models(where: str, judge: Any, config: Config, outside: Outside) -> str:
    """Refuse a judge's model that is not there, or too short for what it is to read."""
    for role, name in judge.models().items():
        model = _model(f"{where}.{role}", name, config, outside)
        _check_length(f"{where}.max_tokens", judge.max_tokens, model, outside)
    return ", ".join(f"{role} {name}" for role, name in judge.models().items())


def _model(key: str, name: str, config: Config, outside: Outside) -> Checkpoint:
    """The model that `name` will be; for one that a round is yet to make, the SFT model."""
    sft = _sft(config, outside)
    if name == "former" or name.startswith(ESTIMATOR_OF):
        return sft
    return named_model(key, name, ModelsOfRun(sft, sft), outside.describe)


def _estimator_checks(config: Config, outside: Outside) -> Iterator[Check]:
    """A model that is fitted has to be there, and be read as far as it is told to."""
    estimator = config.estimator
    if estimator is None or estimator.FITS:
        return
    look = partial(_look_at_estimator, estimator, config, outside)
    yield Check(name="estimator.model", look=look, needs=(BASE_MODEL,))
    for source in estimator.files:
        read = partial(look_at_file, source, check_human_pair, outside)
        yield Check(name="estimator.files", look=read)


def _look_at_estimator(estimator: Any, config: Config, outside: Outside) -> str:
    model = _model("estimator.model", estimator.model, config, outside)
    if estimator.max_tokens is not None:
        _check_length("estimator.max_tokens", estimator.max_tokens, model, outside)
    return f"{kind_of(estimator)}, starts from {estimator.model}"
