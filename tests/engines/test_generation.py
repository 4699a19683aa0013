import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from infra.engines import _generation
from infra.engines._contract import Decoding
from infra.engines._generation import Sampler
from infra.engines._sampling import Drawn, Row, batches, choose, nucleus, uniforms
from tasks.errors import DataError
from tests.tiny_models import tiny_model

END = 5
SAMPLED = Decoding(temperature=1.0, top_p=1.0, max_tokens=24)
GREEDY = Decoding(temperature=0.0, top_p=1.0, max_tokens=24)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def model(kind: str = "qwen2", **config: Any) -> Any:
    folder = tiny_model(kind, **config)
    loaded = transformers.AutoModelForCausalLM.from_pretrained(folder, attn_implementation="sdpa")
    return loaded.eval()


def rows(prompts: int = 16, samples: int = 4) -> list[Row]:
    """Rows for prompts of 3 to 20 tokens, `samples` for each."""
    draw = random.Random(1)
    made = []
    for _ in range(prompts):
        prompt = tuple(draw.randrange(6, 384) for _ in range(draw.randint(3, 20)))
        for _ in range(samples):
            made.append(Row(position=len(made), prompt_ids=prompt, seed=draw.getrandbits(63)))
    return made


def drawn(
    sampler: Sampler, wanted: list[Row], batch_tokens: int = 100_000
) -> dict[int, tuple[list[int], str]]:
    answers: list[Drawn] = []
    for batch in batches(wanted, 24, batch_tokens):
        answers += sampler.draw(batch, lambda count: None)
    return {one.position: (one.token_ids, one.finish_reason) for one in answers}


@pytest.mark.parametrize("kind", ["qwen2", "llama", "gpt2"])
@pytest.mark.parametrize("decoding", [SAMPLED, GREEDY], ids=["sampled", "greedy"])
def test_tokens_are_equal_alone_in_one_batch_and_shuffled(kind: str, decoding: Decoding) -> None:
    sampler = Sampler(model(kind), decoding, [END])
    wanted = rows(prompts=10, samples=3)
    together = drawn(sampler, wanted)
    shuffled = random.Random(2).sample(wanted, len(wanted))
    assert drawn(sampler, wanted, batch_tokens=1) == together
    assert drawn(sampler, shuffled, batch_tokens=7 * 44) == together


def test_sliding_windows_and_padding_do_not_change_tokens() -> None:
    windowed = model("qwen2", use_sliding_window=True, sliding_window=8, max_window_layers=0)
    sampler = Sampler(windowed, SAMPLED, [END])
    assert drawn(sampler, rows(), batch_tokens=1) == drawn(sampler, rows())


def test_greedy_tokens_are_those_of_generate() -> None:
    wanted = rows(prompts=4, samples=1)
    causal = model()
    answers = drawn(Sampler(causal, GREEDY, [END]), wanted)
    for row in wanted:
        prompt = torch.tensor([row.prompt_ids])
        output = causal.generate(
            prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=24,
            eos_token_id=END, pad_token_id=0,
        )  # fmt: skip
        assert answers[row.position][0] == output[0, prompt.shape[1] :].tolist()


def test_each_token_follows_from_the_full_prefix_without_cache() -> None:
    causal = model()
    row = rows(prompts=1, samples=1)[0]
    tokens, _ = drawn(Sampler(causal, SAMPLED, [END]), [row])[0]
    uniform = uniforms([row.seed], 24)
    for step, token in enumerate(tokens):
        with torch.no_grad():
            logits = causal(torch.tensor([[*row.prompt_ids, *tokens[:step]]])).logits[:, -1]
        assert choose(logits, uniform[:, step], SAMPLED).item() == token


def test_a_stop_id_ends_a_response_and_is_kept_others_are_cut() -> None:
    answers = drawn(Sampler(model(), SAMPLED, [END, 17]), rows())
    for tokens, reason in answers.values():
        assert (reason == "stop") == (tokens[-1] in (END, 17))
        assert not {END, 17} & set(tokens[:-1])
        assert reason == "stop" or len(tokens) == 24


def test_a_stop_id_as_very_last_token_counts_as_stop() -> None:
    answers = drawn(Sampler(model(), GREEDY, range(384)), rows(prompts=1))
    assert {(len(tokens), reason) for tokens, reason in answers.values()} == {(1, "stop")}


def test_finished_rows_leave_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    advance: Callable[..., None] = Sampler._advance

    def counted(self: Sampler, batch: Any, step: int) -> None:
        advance(self, batch, step)
        sizes.append(len(batch.logits))

    monkeypatch.setattr(Sampler, "_advance", counted)
    monkeypatch.setattr(_generation, "COMPACT_BELOW", 1.0)
    answers = drawn(Sampler(model(), SAMPLED, range(5, 30)), rows())
    alive = [sum(len(tokens) > step for tokens, _ in answers.values()) for step in range(1, 24)]
    assert sizes == [count for count in alive if count]


def test_samples_of_one_prompt_share_one_prefill() -> None:
    causal = model()
    seen: list[torch.Size] = []
    causal.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["input_ids"].shape), with_kwargs=True
    )
    drawn(Sampler(causal, SAMPLED, []), rows(prompts=1, samples=4))
    assert seen[0][0] == 1
    assert seen[1] == (4, 1)


def test_batches_hold_similar_lengths_within_the_budget_and_every_row_once() -> None:
    wanted = rows()
    made = list(batches(wanted, 24, 10 * 44))
    assert sorted(row.position for batch in made for row in batch) == list(range(64))
    lengths = [len(row.prompt_ids) for batch in made for row in batch]
    assert lengths == sorted(lengths)
    assert all(len(batch) * (len(batch[-1].prompt_ids) + 24) <= 440 for batch in made)


def test_the_inverse_distribution_takes_the_token_that_the_number_falls_on() -> None:
    logits = torch.tensor([[0.5, 0.25, 0.25]]).log()
    for uniform, token in [(0.0, 0), (0.49, 0), (0.51, 1), (0.74, 1), (0.76, 2), (1 - 2**-53, 2)]:
        assert choose(logits, torch.tensor([uniform], dtype=torch.float64), SAMPLED).item() == token


def test_a_token_of_probability_zero_is_never_drawn() -> None:
    logits = torch.tensor([[-torch.inf, 0.0, -torch.inf, 0.0, -torch.inf]])
    for uniform in (0.0, 0.5, 1 - 2**-53):
        drawn = choose(logits, torch.tensor([uniform], dtype=torch.float64), SAMPLED).item()
        assert drawn in (1, 3)


def test_nucleus_keeps_the_likeliest_tokens_up_to_top_p() -> None:
    probabilities = torch.tensor([[0.1, 0.5, 0.15, 0.25]], dtype=torch.float64)
    assert nucleus(probabilities, 0.7).tolist() == [[0, 0.5, 0, 0.25]]
    assert nucleus(probabilities, 0.5).tolist() == [[0, 0.5, 0, 0]]
    assert nucleus(probabilities, 1e-9).tolist() == [[0, 0.5, 0, 0]]
    assert nucleus(probabilities, 0.9).tolist() == [[0, 0.5, 0.15, 0.25]]


@given(st.lists(st.floats(-30, 30), min_size=2, max_size=20), st.floats(0, 1, exclude_max=True))
def test_a_drawn_token_always_has_a_probability(values: list[float], uniform: float) -> None:
    decoding = Decoding(temperature=0.7, top_p=0.8, max_tokens=1)
    logits = torch.tensor([values])
    token = choose(logits, torch.tensor([uniform], dtype=torch.float64), decoding).item()
    kept = nucleus(torch.softmax(logits.double() / 0.7, -1), 0.8)
    assert kept[0, int(token)] > 0


def test_drawn_frequencies_follow_the_distribution() -> None:
    probabilities = torch.tensor([0.6, 0.3, 0.1])
    uniform = uniforms([7], 10_000)[0]
    tokens = choose(probabilities.log().expand(10_000, 3), uniform, SAMPLED)
    shares = torch.bincount(tokens, minlength=3) / 10_000
    assert (shares - probabilities).abs().max() < 0.015  # three standard errors


def test_a_model_that_gives_nan_is_an_error_not_a_token() -> None:
    broken = model()
    broken.lm_head.weight.data[3] = torch.nan
    for decoding in (SAMPLED, GREEDY):
        with pytest.raises(DataError, match="NaN or infinite"):
            drawn(Sampler(broken, decoding, [END]), rows(prompts=1))
