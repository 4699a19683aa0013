"""Part of the judge door: judges that ask a model behind a server."""

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

from infra.ledger import Purse
from infra.openai_client import Call, Client, Reply
from infra.openai_shards import completed_shards
from infra.openai_waves import completed_waves
from infra.place import journal_of, purse_of, workdir_of
from infra.progress import Bar
from infra.stages import Stage
from infra.vllm.address import Address, address_of
from infra.work import work_root
from tasks.judge_models import served_folder
from tasks.judging import Asked, call_id, gives_scores
from tasks.opinions import Annotator, verdict_of
from tasks.records import Place, Verdict
from tasks.replies import losses, opinions_of
from tasks.spending import Price
from tasks.thrift import Given, in_waves
from tasks.usage import Usage, is_paid, watching
from tasks.waves import Dialogue, Shard, Told, looked


class ToDo(NamedTuple):
    """The shards that are not committed yet."""

    shards: Iterable[tuple[int, Shard]]
    """By index, each made when it is wanted."""
    adaptive: bool
    """Whether what is asked depends on verdicts."""


def asked_verdicts(
    stage: Stage,
    to_do: ToDo,
    judge: Any,
    annotator: Annotator,
    bar: Bar,
    place: Place,
) -> Iterator[tuple[int, list[Told]]]:
    """Each shard's verdicts by a model behind a server, as its last reply arrives.

    Raises, after all others, ConnectionError if some calls got no reply, or ConfigError if none
    can, and BudgetError where they may not be paid for.
    """
    price = place.terms.price_of(judge, judge.model)
    paid = purse_of(place, "judge", annotator.name, price) if is_paid(judge) else nullcontext()
    with (
        paid as purse,
        address_of(judge, served_folder(judge, place), workdir_of(stage, place)) as address,
        _client(stage, judge, address, bar, purse, place) as client,
    ):
        asking = _Asking(client, judge, annotator, price, bar)
        # Rules that ask in waves decide themselves what comes first.
        one_wave = judge.both_orders and not to_do.adaptive and not gives_scores(judge)
        if purse and purse.degrades and one_wave:
            yield from asking.thriftily(dict(to_do.shards), place.strengths)
        else:
            yield from asking.in_waves(to_do.shards)


class _Asking(NamedTuple):
    """A judge with the client that reaches it."""

    client: Client
    judge: Any
    annotator: Annotator
    price: Price | None
    bar: Bar

    @property
    def who(self) -> str:
        """Who is asked, for messages."""
        return f"judge {self.annotator.name!r}"

    def in_waves(self, to_do: Iterable[tuple[int, Shard]]) -> Iterator[tuple[int, list[Told]]]:
        """Each shard as soon as its dialogues have ended; they go on side by side."""
        chains = ((index, [self._chain(one) for one in shard.dialogues]) for index, shard in to_do)
        return completed_waves(self.client, chains, self.who, self.bar.advance)

    def _chain(self, dialogue: Dialogue) -> Generator[list[Call], list[Reply], Told]:
        """A dialogue as the calls to a server that it takes."""
        looks = looked(dialogue, self.judge, self.annotator)
        lost: Counter[str] = Counter()
        try:
            work = next(looks)
            while True:
                replies = yield [self._call(one) for one in work]
                lost.update(losses(replies))
                work = looks.send(opinions_of(self.judge, replies, self.price))
        except StopIteration as end:
            told: Told = end.value
            return told._replace(left_out={**told.left_out, **lost})

    def thriftily(
        self, to_do: Mapping[int, Shard], strengths: Mapping[str, float]
    ) -> Iterator[tuple[int, list[Told]]]:
        """Each shard, all questions asked in the order of `tasks.thrift`."""
        begun = {index: [_Begun.of(one) for one in to_do[index].dialogues] for index in to_do}
        asked = {index: [one for part in begun[index] for one in part.asked] for index in begun}
        for index, verdicts, lost in in_waves(self._at_once, asked, strengths):
            ended = [part.ended(verdicts) for part in begun[index]]
            ended.append(Told([], dict(lost)))
            yield index, ended

    def _at_once(self, to_do: Mapping[int, Sequence[Asked]]) -> Iterator[Given]:
        """Each shard's verdicts, and how many questions were lost for which reason."""
        calls = ((index, [self._call(one) for one in asked]) for index, asked in to_do.items())
        for index, replies in completed_shards(self.client, calls, self.who, self.bar.advance):
            said = opinions_of(self.judge, replies, self.price)
            verdicts = [
                verdict_of(opinion, one.question, self.annotator)
                for one, opinion in zip(to_do[index], said, strict=True)
                if opinion is not None
            ]
            yield index, verdicts, losses(replies)

    def _call(self, one: Asked) -> Call:
        return Call(
            id=call_id(one, self.judge, self.annotator.name),
            messages=self.judge.render(one.prompt, one.first.text, one.second.text),
            settings=self.judge.request(),
        )


class _Begun(NamedTuple):
    """A dialogue that has said what it asks; it asks once."""

    asked: list[Asked]
    dialogue: Dialogue
    told: Told | None
    """What it ended with, if it asks nothing."""

    @classmethod
    def of(cls, dialogue: Dialogue) -> "_Begun":
        """`dialogue` after its first step."""
        try:
            return cls(next(dialogue), dialogue, None)
        except StopIteration as end:
            return cls([], dialogue, end.value)

    def ended(self, verdicts: Sequence[Verdict]) -> Told:
        """What the dialogue ends with, given the verdicts of its whole shard."""
        if self.told is not None:
            return self.told
        own = [one for one in verdicts if one.prompt_id == self.asked[0].prompt.prompt_id]
        try:
            self.dialogue.send(own)
        except StopIteration as end:
            told: Told = end.value
            return told._replace(looks=len(self.asked))
        raise RuntimeError("a comparison rule of one wave asked for a second one")


def _client(
    stage: Stage, judge: Any, address: Address, bar: Bar, purse: Purse | None, place: Place
) -> Client:
    return Client(
        base_url=address.base_url,
        model=address.model,
        is_there=address.is_there,
        api_key_env=judge.api_key_env,
        concurrency=judge.concurrency,
        timeout_seconds=judge.timeout_seconds,
        limits=place.terms.limits_at,
        purse=purse,
        journal=journal_of(stage, judge.model),
        watch=watching(purse.price if purse else None, bar),
        item_log=work_root() / "items.jsonl",
        stage=stage.digest,
    )


def spent(stage: Stage, judge: Any, place: Place) -> dict[str, Any]:
    """Calls, tokens and money of every process that worked on the stage."""
    if not is_paid(judge):
        return {}
    with journal_of(stage, judge.model) as journal:
        price = place.terms.price_of(judge, judge.model)
        return Usage.of(journal.entries(stage.digest), price).plain
