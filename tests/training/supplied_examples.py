"""Examples with everything that a loss declares to need, and the same computed one by one.

The oracle runs the model as transformers does, in double precision, one response at a time.
"""

from functools import cache

import numpy as np
import pyarrow as pa
import torch
from training_jobs import CPU, EOS, ids, plain_logps, write_examples

from tasks.records import TrainingExample
from tasks.side_table import side_schema
from tasks.training.batches import Budget, groups_of
from tasks.training.examples import open_examples
from tasks.training.loss_batch import Degrees, LossBatch, Side

PAIRS, ALONE = [(0, 1), (2, 0), (2, 1)], [(0, None), (1, None), (2, None)]
NUMBERS = {"p_chosen": (0.5, 1.0), "margin": (0.0, 1.0), "uncertainty": (0.0, 0.69)}
"""What columns may hold."""


@cache
@torch.no_grad()
def score(model, prompt, tokens):
    """Log-probabilities of a response by a model that does not change."""
    return plain_logps(model, prompt, tokens).tolist()


class Supplied:
    """Three responses to each prompt, as the examples that `loss` trains on, with a side table."""

    def __init__(self, loss, references, num_prompts=4):
        self.loss, self.references = loss, references[: 1 + (loss.REFERENCES == "many")]
        self.draw = np.random.default_rng(7)
        self.prompts = [ids((index, 0), 4 + index % 3) for index in range(num_prompts)]
        self.responses = [
            [[*ids((index, 1 + k), 2 + 3 * k + index % 2), EOS] for k in range(3)]
            for index in range(num_prompts)
        ]
        self.examples, self.side = [], []
        for index in range(num_prompts):
            self._add_prompt(index)

    def _add_prompt(self, index):
        is_pair = self.loss.EXAMPLES_KIND == "pair"
        for chosen, rejected in PAIRS if is_pair else ALONE:
            taken = {"chosen": chosen, "rejected": rejected}
            self.examples.append(self._example(index, taken))
            self.side.append(self._side_row(index, taken))

    def _example(self, index, taken):
        sides = {}
        for side, k in taken.items():
            tokens = None if k is None else self.responses[index][k]
            sides |= {f"{side}_ids": tokens, f"{side}_logps": self.scores(index, tokens)}
        return TrainingExample(
            example_id=self.name(index, taken), kind=self.loss.EXAMPLES_KIND,
            prompt_id=f"p{index}", prompt_ids=self.prompts[index], weight=1 / 3,
            p_chosen=self.number("p_chosen"), margin=self.number("margin"), **sides,
        )  # fmt: skip

    @staticmethod
    def name(index, taken):
        return f"{index}-{taken['chosen']}-{taken['rejected']}"

    def number(self, name):
        if name == "desirable":
            return float(self.draw.integers(2))
        return float(self.draw.uniform(*NUMBERS[name]))

    def scores(self, index, tokens):
        """Log-probabilities of a response by every reference, one after the other."""
        if tokens is None or not self.loss.USES_REFERENCE:
            return None
        known = [score(one, tuple(self.prompts[index]), tuple(tokens)) for one in self.references]
        return [number for numbers in known for number in numbers]

    def _side_row(self, index, taken):
        columns = side_schema(self.loss).names
        row = {"example_id": self.name(index, taken)}
        row |= {name: self.number(name) for name in self.loss.REQUIRES if name in columns}
        for side, name in self.loss.TOKEN_COLUMNS:
            tokens = self.responses[index][taken[side]]
            row[f"{side}_{name}"] = self._token_column(name, len(tokens))
        for name in self.loss.OTHERS:
            # explored: once a response of the pairs, so that both are one branch; else a new one.
            own = [self.responses[index][0], [*ids((index, 9), 4), EOS]][index % 2]
            others = {"explored": own, "mismatched": self.responses[index - 1][taken["chosen"]]}
            row[f"{name}_ids"] = others[name]
            row[f"{name}_logps"] = self.scores(index, others[name])
        if self.loss.HEAD_CLASSES:
            chosen = self.responses[index][taken["chosen"]]
            variants = [chosen, chosen[1:], ids((index, 8), 3)] if taken["chosen"] else []
            row |= {"degraded_ids": variants, "degrees": [0, 1, 2][: len(variants)]}
        return {name: row[name] for name in columns if name in row}

    def _token_column(self, name, length):
        if name == "teacher":
            return self.draw.uniform(-6, -0.1, length).tolist()
        return self.draw.integers(0, 2, length).astype(float).tolist()

    def opened(self, workdir, max_tokens=200):
        """The examples as the trainer reads them, the rows of the side table in another order."""
        path = write_examples(workdir, self.examples)
        return open_examples(path, self.loss, max_tokens, self.write_side(workdir))

    def write_side(self, workdir):
        """side.arrow in `workdir`; none where the loss needs nothing of it."""
        wanted = side_schema(self.loss)
        if len(wanted) == 1:
            return None
        path = workdir / "side.arrow"
        with pa.ipc.new_file(str(path), wanted) as writer:
            writer.write_table(pa.Table.from_pylist(self.side[::-1], wanted), max_chunksize=5)
        return path

    def groups(self, workdir, tokens):
        """The groups that one step over all prompts forwards."""
        budget = Budget(tokens=tokens, together=self.loss.BATCH_STATISTICS)
        return groups_of(self.opened(workdir), range(len(self.prompts)), budget, CPU)

    def objective(self, model, head=None):
        """What a step over all prompts minimises, with gradients into `model` and `head`."""
        sides = {"chosen": [one.chosen_ids for one in self.examples]}
        if self.loss.EXAMPLES_KIND == "pair":
            sides["rejected"] = [one.rejected_ids for one in self.examples]
        for name in self.loss.OTHERS:
            sides[name] = [row[f"{name}_ids"] for row in self.side]
        found = {name: self._side(model, name, rows) for name, rows in sides.items()}
        batch = LossBatch(
            chosen=found.pop("chosen"), rejected=found.pop("rejected", None), others=found,
            columns={name: self._column(name) for name in self.loss.REQUIRES},
            degrees=self._degrees(model, head) if head else None,
        )  # fmt: skip
        return self.loss(batch).loss.sum() / 3 / len(self.prompts)

    def _column(self, name):
        values = [
            row.get(name, getattr(example, name, None))
            for row, example in zip(self.side, self.examples, strict=True)
        ]
        return torch.tensor(values, dtype=torch.float64)

    def _side(self, model, name, rows):
        longest = max(map(len, rows))
        prompts = [self.prompts[place // 3] for place in range(len(rows))]
        logps = [plain_logps(model, *one) for one in zip(prompts, rows, strict=True)]
        scores = [self.scores(place // 3, tokens) for place, tokens in enumerate(rows)]
        reference = None
        if self.loss.USES_REFERENCE:
            tables = [torch.tensor(one).double().view(len(self.references), -1) for one in scores]
            reference = torch.stack([padded(one, longest) for one in tables], 1)
        return Side(
            logps=torch.stack([padded(one, longest) for one in logps]),
            mask=torch.stack([padded(torch.ones_like(one), longest) for one in logps]),
            reference=reference,
            columns={
                column: torch.stack(
                    [padded(torch.tensor(row[f"{side}_{column}"]), longest) for row in self.side]
                ).double()
                for side, column in self.loss.TOKEN_COLUMNS
                if side == name
            },
        )

    def _degrees(self, model, head):
        logits, labels, pairs = [], [], []
        for place, row in enumerate(self.side):
            for tokens, degree in zip(row["degraded_ids"], row["degrees"], strict=True):
                whole = torch.tensor([[*self.prompts[place // 3], *tokens]])
                logits.append(head(model.base_model(whole).last_hidden_state[0, -1]))
                labels.append(degree)
                pairs.append(place)
        return Degrees(
            logits=torch.stack(logits), labels=torch.tensor(labels), pairs=torch.tensor(pairs)
        )


def padded(values, longest):
    """`values` with zeros behind, `longest` in all."""
    return torch.nn.functional.pad(values, (0, longest - values.shape[-1]))
