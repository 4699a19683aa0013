"""What both sides of the benchmark work on: a served tiny model, prompts, pairs of responses."""

from dataclasses import dataclass
from pathlib import Path

from infra.engines.vllm import VLLM
from infra.place import open_stage
from tasks.canonical import short_id
from tasks.config import CellSection
from tasks.describe import describe
from tasks.judges.pairwise import Pairwise
from tasks.model_matrix import Cell
from tasks.prompts import prompt_of
from tasks.records import Artifact, Place, Prompt, Response
from tasks.serving import ServerSettings
from tasks.sources import Row
from tasks.storage_settings import StorageSettings
from tasks.tables import content, to_table
from tests.tiny_models import tiny_model

NEW_TOKENS = 32
QUESTION = "{{ fence }}{{ first }}{{ fence }}{{ second }}{{ fence }} A or B?"
SERVER = ServerSettings(dtype="float32", kv_cache_gib=1, max_model_len=512, max_num_seqs=256)


@dataclass(frozen=True, kw_only=True)
class World:
    """One folder with store and work; every repetition has prompts of its own."""

    folder: Path
    samples: int
    server: ServerSettings = SERVER

    @property
    def model(self) -> Path:
        """A Llama of 0.1 million parameters whose heads are wide enough for vLLM on CPU."""
        return tiny_model("llama", bos=True, head_dim=32)

    @property
    def place(self) -> Place:
        """Where the doors work."""
        sft = describe(self.model)
        return Place(
            run="throughput",
            round_index=0,
            storage=StorageSettings(root=f"file://{self.folder}/store"),
            seed=1,
            side_by_side=None,
            redo={},
            sft=sft,
            reference=sft,
            policies={},
            strengths={},
            shares={},
        )

    @property
    def cell(self) -> Cell:
        """The policy behind the server."""
        section = CellSection.model_validate(
            {
                "engine": VLLM(server=self.server),
                "model": "policy",
                "samples": self.samples,
                "max_tokens": NEW_TOKENS,
            }
        )
        sft = describe(self.model)
        return Cell(
            name="policy", settings=section, checkpoint=sft, fingerprint=sft.sha256, origin="policy"
        )

    def judge(self, concurrency: int) -> Pairwise:
        """A judge behind the same server, with a question that fits its positions."""
        template = self.folder / "short.j2"
        template.write_text(QUESTION, encoding="utf-8")
        return Pairwise(
            model=str(self.model),
            server=self.server,
            template=str(template),
            max_tokens=NEW_TOKENS,
            concurrency=concurrency,
            both_orders=False,
        )

    def prompts(self, name: str, count: int) -> list[Prompt]:
        """`count` prompts that no other name has: a server answers none of them from its cache."""
        rows = (
            Row(f"row {n}", {"prompt": f"{name}, {n}: name {n % 7 + 2} animals of the forest."})
            for n in range(count)
        )
        return sorted(map(prompt_of, rows), key=lambda prompt: prompt.prompt_id)

    def committed(self, prompts: list[Prompt]) -> Artifact:
        """`prompts` as the collecting door leaves them."""
        return self._stage(Prompt, prompts, "prompts")

    def answered(self, prompts: list[Prompt]) -> Artifact:
        """Two responses to each prompt, to be compared."""
        return self._stage(Response, responses_to(prompts), "answers")

    def _stage(self, record: type, rows: list, verb: str) -> Artifact:
        table = to_table(record, rows)
        inputs = {"rows": content(record, table)}
        stage = open_stage(self.place, verb, settings={}, inputs=inputs, semantics=1)
        return stage.commit(tables={"rows": (record, table)})


def responses_to(prompts: list[Prompt]) -> list[Response]:
    """Two texts for each prompt."""
    return [
        Response(
            response_id=short_id(prompt.prompt_id, text),
            prompt_id=prompt.prompt_id,
            text=text,
            origin="recorded",
            cell="recorded",
            generator="recorded",
            sample_index=index,
            seed=None,
            finish_reason="stop",
            token_ids=None,
            tokenizer=None,
            template=None,
        )
        for prompt in prompts
        for index, text in enumerate((f"deer and owl {prompt.prompt_id}", "a bear"))
    ]
