"""Texts to vectors by a local encoder, in a child process: `python -m infra.embedding WORKDIR`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from infra.arrow_files import read_arrow, write_arrow
from infra.processes import Limits, run_child
from infra.work import stage_dir
from tasks import child
from tasks.child import Reporter, child_main

TEXTS, VECTORS = "texts.arrow", "vectors.arrow"
TEXTS_AT_ONCE = 16


def embeddings(
    texts: Mapping[str, str], model: Path, max_tokens: int, work: str
) -> dict[str, NDArray[np.float64]]:
    """The mean of the last hidden states of each text, by its id.

    `model` is the encoder's folder, `max_tokens` the longest part of a text that it reads; `work`
    names the folder of this piece of work.
    """
    workdir = stage_dir("annotate", work)
    workdir.mkdir(parents=True, exist_ok=True)
    names = sorted(texts)
    write_arrow(pa.table({"name": names, "text": [texts[one] for one in names]}), workdir / TEXTS)
    spec = {"model": str(model), "max_tokens": max_tokens}
    child.write_json(workdir / child.SPEC, spec)
    run_child("infra.embedding", workdir, limits=Limits(), on_event=lambda event: None)
    table = read_arrow(workdir / VECTORS)
    vectors = (np.asarray(one, dtype=float) for one in table.column("vector").to_pylist())
    return dict(zip(table.column("name").to_pylist(), vectors, strict=True))


def embed(workdir: Path, spec: dict[str, Any], reporter: Reporter) -> dict[str, Any]:
    """What the child does: read texts, write vectors."""
    from transformers import AutoModel, AutoTokenizer

    texts = read_arrow(workdir / TEXTS)
    tokenizer = AutoTokenizer.from_pretrained(
        spec["model"], local_files_only=True, trust_remote_code=False
    )
    model = AutoModel.from_pretrained(
        spec["model"],
        dtype="float32",
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
    ).eval()
    vectors: list[list[float]] = []
    for start in range(0, texts.num_rows, TEXTS_AT_ONCE):
        for text in texts.column("text").slice(start, TEXTS_AT_ONCE).to_pylist():
            vectors.append(_pooled(model, tokenizer, text, spec["max_tokens"]))
        reporter.event("embedded", rows=len(vectors))
    write_arrow(pa.table({"name": texts.column("name"), "vector": vectors}), workdir / VECTORS)
    return {"rows": len(vectors)}


def _pooled(model: Any, tokenizer: Any, text: str, max_tokens: int) -> list[float]:
    """The mean of the last hidden states; a text without a token stands at 0."""
    import torch

    ids = tokenizer(text, truncation=True, max_length=max_tokens, return_tensors="pt").input_ids
    if not ids.shape[1]:
        return [0.0] * int(model.config.hidden_size)
    with torch.inference_mode():
        states = model(input_ids=ids).last_hidden_state[0]
    pooled: list[float] = states.mean(dim=0).tolist()
    return pooled


if __name__ == "__main__":
    child_main(embed)()
