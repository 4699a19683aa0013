import pytest

from infra.openai_calls import Choice, Reply
from tasks.errors import DataError
from tasks.replies import opinion_of
from tasks.variants import load_variant

JUDGE = load_variant("tasks.judges", "pairwise", model="m", base_url="http://127.0.0.1:1/v1")


def reply(text, finish_reason):
    return Reply(choices=[Choice(text=text, finish_reason=finish_reason)])


@pytest.mark.parametrize(
    ("text", "finish_reason", "outcome"),
    [
        ("Both are short.\nVerdict: B", "stop", "second"),
        ("Both are short.\nVerdict: B", "unknown", "second"),
        ("If I had to say it now:\nVerdict: B", "length", "unparsed"),
        ("", "stop", "unparsed"),
    ],
)
def test_a_reply_that_was_cut_is_unparsed_and_kept(text, finish_reason, outcome):
    opinion = opinion_of(JUDGE, reply(text, finish_reason))
    assert (opinion.outcome, opinion.reply) == (outcome, text)


def test_a_judge_that_returns_no_opinion_is_an_error():
    class Says:
        READS_CUT_REPLIES = False

        def parse(self, reply, tokens):
            return "first"

    with pytest.raises(DataError, match="returned 'first', not an Opinion"):
        opinion_of(Says(), reply("x", "stop"))
