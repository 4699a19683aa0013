"""Work that a pool does for a flow: begun once, found again, and its failures told."""

import httpx
import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolUpdate
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL, temporary_settings

import infra.prefect.flow_runs as flow_runs
from infra.prefect.deployments import look_at_deployment
from infra.storage import open_store
from tasks.collect import _commit
from tasks.errors import ConfigError, FlowRunError
from tasks.placement import Placement, Spot, Where
from tasks.prompts import prompt_of
from tasks.records import Artifact, Prompt
from tasks.sample import cells_of, sample_cell
from tasks.sources import Row
from tasks.tables import to_table
from tests.pool_worker import POOL, PoolWorker, deploy
from tests.small_config import small_config, small_place

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]

NUM_PROMPTS = 10


@flow(name="parent", persist_result=False)
def parent(run: str, root: str, workers: int, cell: str = "large", default: str = "x") -> Artifact:
    """What the story does with one cell."""
    spot = Where(deployment=POOL, workers=workers, but={"human": Spot(deployment=POOL)})
    placement = Placement(sample=spot, poll_seconds=0.1)
    place = small_place(run=run, root=root, round_index=0, shares={}, placement=placement)
    prompts = [prompt_of(Row("x", {"prompt": f"Name fruit {n}."})) for n in range(NUM_PROMPTS)]
    asked = _commit(to_table(Prompt, prompts), "train", {}, place)
    made = cells_of({cell: small_config(matrix__large__default=default).matrix["large"]}, place)
    sampled: Artifact = sample_cell(
        name=f"{cell} · train", prompts=asked, cell=made[cell], role="train", place=place
    )
    return sampled


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Nobody presses Retry in these tests, and shards are small."""
    monkeypatch.setattr(flow_runs, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr("tasks.responses.SHARD_PROMPTS", 2)


@pytest.fixture
def root(tmp_path):
    return f"file://{tmp_path}/store"


@pytest.fixture
def worker(prefect_server):
    with PoolWorker() as one:
        yield one


def test_a_flow_run_of_the_pool_does_the_work(worker, root):
    made = parent(run="one", root=root, workers=1)
    [sent] = worker.flow_runs()
    assert made.rows == NUM_PROMPTS and sent.state.is_completed()
    assert sent.name == "sample · large · train · round 0"
    assert {"one", "round-0", "sample"} <= set(sent.tags)
    assert sent.parent_task_run_id is not None
    assert sent.state.message == "sample · large · train: all of it is done"
    assert sent.parameters["order"].keys() >= {"run", "round_index", "what", "stage", "arguments"}


def test_what_is_finished_is_sent_to_nobody(worker, root):
    first = parent(run="one", root=root, workers=1)
    assert parent(run="two", root=root, workers=1) == first
    assert len(worker.flow_runs()) == 1


def test_workers_share_the_shards_and_who_finds_all_of_them_commits(worker, root, monkeypatch):
    here = small_local(root.replace("store", "local"), monkeypatch)
    made = parent(run="one", root=root, workers=2)
    assert made.content == here.content and made.rows == here.rows
    sent = worker.flow_runs()
    assert [one.name for one in sent] == [
        f"sample · large · train · part {number} of 2 · round 0" for number in (1, 2)
    ]
    assert [one.state.message.rpartition(": ")[2] for one in sent] == [
        "this part is done, others are still at theirs",
        "all of it is done",
    ]


def small_local(root, monkeypatch):
    """The same cell's work in this process."""
    with monkeypatch.context() as patch:
        patch.setattr("tasks.placement.Placement.of", lambda self, verb, name="": Spot())
        return parent(run="here", root=root, workers=1)


def dies(*arguments, **named):
    raise KeyboardInterrupt


def test_a_flow_that_died_finds_what_it_had_begun(worker, root, monkeypatch):
    worker.holds = True
    with monkeypatch.context() as patch:
        patch.setattr("infra.prefect.elsewhere.ended", dies)
        with pytest.raises(KeyboardInterrupt):
            parent(run="one", root=root, workers=2)
    begun = [one.id for one in worker.flow_runs()]
    worker.holds = False
    assert parent(run="one", root=root, workers=2).rows == NUM_PROMPTS
    assert [one.id for one in worker.flow_runs()] == begun and len(begun) == 2


def test_two_runs_that_need_the_same_stage_share_its_flow_run(worker, root, monkeypatch):
    worker.holds = True
    with monkeypatch.context() as patch:
        patch.setattr("infra.prefect.elsewhere.ended", dies)
        for run in ("one", "two"):
            with pytest.raises(KeyboardInterrupt):
                parent(run=run, root=root, workers=1)
    assert len(worker.flow_runs()) == 1


def test_a_flow_run_that_failed_is_told_and_not_tried_again_by_itself(worker, root, monkeypatch):
    def fails(*arguments):
        raise ConfigError("no GPU here")

    with monkeypatch.context() as patch:
        patch.setattr("tasks.sample._draw", fails)
        with pytest.raises(FlowRunError) as caught:
            parent(run="one", root=root, workers=1)
    [sent] = worker.flow_runs()
    said = str(caught.value)
    assert "sample · large · train · round 0 ended as Failed" in said and "no GPU here" in said
    assert str(sent.id) in said and "press Retry" in said
    assert parent(run="one", root=root, workers=1).rows == NUM_PROMPTS
    assert [one.state.name for one in worker.flow_runs()] == ["Failed", "Completed"]


def test_a_flow_run_that_crashed_is_begun_again(worker, root, monkeypatch):
    worker.crashes = 1
    assert parent(run="one", root=root, workers=1).rows == NUM_PROMPTS
    assert [one.state.name for one in worker.flow_runs()] == ["Crashed", "Completed"]


def test_work_that_is_gone_from_the_store_is_done_again(worker, root):
    made = parent(run="one", root=root, workers=2)
    folder = "stages" + made.uri.rpartition("/stages")[2].removesuffix("/manifest.json")
    store = open_store(root)
    for path in store.list(folder):
        store.delete(path)
    assert parent(run="one", root=root, workers=2).content == made.content
    assert [one.state.name for one in worker.flow_runs()] == ["Completed"] * 3


def test_a_worker_that_makes_another_stage_is_noticed(worker, root, monkeypatch):
    monkeypatch.setattr("flows.stages.carried_out", lambda order, door: None)
    with pytest.raises(FlowRunError, match="Deploy both from the same version"):
        parent(run="one", root=root, workers=1)


def test_an_order_of_another_form_is_refused_by_the_server(worker):
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name(f"tso-train/{POOL}")
        with pytest.raises(Exception, match="'store' is a required property"):
            client.create_flow_run_from_deployment(
                deployment.id, parameters={"order": {"run": "x"}}
            )


def test_a_server_that_is_away_for_a_while_is_asked_again(monkeypatch):
    answers = [httpx.ConnectError("refused"), httpx.ReadTimeout("late"), "completed"]

    class Client:
        def read_flow_run(self, flow_run_id):
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return flow_runs.FlowRun(flow_id=flow_run_id, state={"type": "COMPLETED"})

    run = flow_runs.FlowRun(flow_id="00000000-0000-0000-0000-000000000001")
    flow_runs.ended(Client(), [run], 0.01, lambda: False)
    assert answers == []


def test_work_that_is_in_the_store_needs_no_word_of_the_server():
    class Client:
        def read_flow_run(self, flow_run_id):
            raise httpx.ConnectError("refused")

    run = flow_runs.FlowRun(flow_id="00000000-0000-0000-0000-000000000001")
    flow_runs.ended(Client(), [run], 0.01, lambda: True)


def test_a_flow_run_that_was_deleted_is_begun_again_by_the_task(monkeypatch):
    class Client:
        def read_flow_run(self, flow_run_id):
            raise ObjectNotFound(KeyError("gone"))

    run = flow_runs.FlowRun(flow_id="00000000-0000-0000-0000-000000000001")
    with pytest.raises(FlowRunError, match="was deleted") as caught:
        flow_runs.ended(Client(), [run], 0.01, lambda: False)
    assert caught.value.again


@pytest.fixture
def without_worker(worker):
    """The name of a pool with a deployment and nobody who works for it."""
    with get_client(sync_client=True) as client:
        deploy(client, "empty")
        yield "empty"
        client.delete_work_pool("empty")


def test_what_a_deployment_lacks_is_named_with_the_command(without_worker):
    assert look_at_deployment(f"tso-train/{POOL}", True).endswith("1 worker online")
    with pytest.raises(ConfigError, match="prefect --no-prompt deploy --all"):
        look_at_deployment("tso-train/none", True)
    with pytest.raises(ConfigError, match="prefect worker start --pool empty"):
        look_at_deployment("tso-train/empty", True)
    assert "its work will wait" in look_at_deployment("tso-train/empty", False)
    with get_client(sync_client=True) as client:
        client.update_work_pool(without_worker, WorkPoolUpdate(is_paused=True))
    with pytest.raises(ConfigError, match="prefect work-pool resume empty"):
        look_at_deployment("tso-train/empty", False)


def test_without_a_server_no_deployment_is_looked_for():
    with (
        temporary_settings(restore_defaults={PREFECT_API_URL}),
        pytest.raises(ConfigError, match="PREFECT_API_URL is not set"),
    ):
        look_at_deployment("tso-train/pool", True)
