"""Each verb that takes long as a flow of its own, for work pools: the setting `placement`.

The flow `tso` starts them. What one has begun, its Retry finishes; `tso` then finds it done.
"""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from infra.prefect.orders import Order, carried_out
from tasks.estimate import estimated as estimate_door
from tasks.evaluate import evaluate as evaluate_door
from tasks.judge import judge_with
from tasks.sample import sample_cell
from tasks.score import score as score_door
from tasks.train import train as train_door
from tasks.transform import transformed as transform_door


@flow(name="tso-sample", persist_result=False)
def sample(order: Order) -> State[Any]:
    """Let one cell answer its share of a round's prompts, or a part of them."""
    return carried_out(order, sample_cell)


@flow(name="tso-judge", persist_result=False)
def judge(order: Order) -> State[Any]:
    """Let one judge compare responses, or a part of them."""
    return carried_out(order, judge_with)


@flow(name="tso-estimate", persist_result=False)
def estimate(order: Order) -> State[Any]:
    """Let the estimator of one round learn and score; killed, it goes on where it was."""
    return carried_out(order, estimate_door)


@flow(name="tso-transform", persist_result=False)
def transform(order: Order) -> State[Any]:
    """Let one transform of a round edit its pairs; its writer is asked nothing twice."""
    return carried_out(order, transform_door)


@flow(name="tso-score", persist_result=False)
def score(order: Order) -> State[Any]:
    """Let one model score the responses that pairs use, or a part of them."""
    return carried_out(order, score_door)


@flow(name="tso-train", persist_result=False)
def train(order: Order) -> State[Any]:
    """Train the policy of one round; killed, it goes on from its last checkpoint."""
    return carried_out(order, train_door)


@flow(name="tso-evaluate", persist_result=False)
def evaluate(order: Order) -> State[Any]:
    """Measure the policy of one round beside its reference and the SFT model."""
    return carried_out(order, evaluate_door)
