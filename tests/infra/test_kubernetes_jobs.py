"""Job templates of the work pools: rendered by Prefect, valid by Kubernetes, taken by a server."""

import json
import warnings

import pytest

from infra.kubernetes.templates import FOLDER, POOLS, pool_names, pool_template, written
from tests.infra.kubernetes_jobs import check, configured, documents, rendered

VALUES = sorted((FOLDER / "values").glob("*.yaml"))


@pytest.mark.parametrize("pool", pool_names())
def test_the_file_of_a_pool_is_up_to_date(pool):
    now = (POOLS / f"{pool}.json").read_text(encoding="utf-8")
    assert now == written(pool), "run: python -m infra.kubernetes"


def test_there_is_a_worker_for_each_pool():
    pools = [
        one["worker"]["config"]["workPool"]
        for file in VALUES
        for one in documents(file)
        if "workPool" in one.get("worker", {}).get("config", {})
    ]
    assert sorted(pools) == pool_names() == sorted(file.stem for file in POOLS.glob("*.json"))


@pytest.mark.parametrize("pool", pool_names())
def test_every_variable_has_a_description_and_is_used(pool):
    template = pool_template(pool)
    used = json.dumps(template["job_configuration"])
    for name, variable in template["variables"]["properties"].items():
        assert variable["description"].endswith((".", "!")) and variable["title"], name
        assert f"{{{{ {name} }}}}" in used, name


@pytest.mark.parametrize("pool", pool_names())
def test_jobs_as_prefect_makes_them_are_valid_by_kubernetes_own_schema(pool):
    job = json.loads(json.dumps(rendered(pool)))
    for field in ("parallelism", "completions"):  # Prefect wants them where Kubernetes drops them
        del job["spec"]["template"]["spec"][field]
    check(job)


@pytest.mark.parametrize("pool", pool_names())
def test_jobs_have_no_rights_on_their_node(pool):
    pod = rendered(pool)["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 1000
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert [one for one in pod["volumes"] if "hostPath" in one] == []


@pytest.mark.parametrize("pool", pool_names())
def test_prefect_starts_a_job_again_and_gives_it_time_to_stop(pool):
    spec = rendered(pool)["spec"]
    assert spec["backoffLimit"] == 0 and spec["activeDeadlineSeconds"] >= 86_400
    assert 1 <= spec["template"]["spec"]["terminationGracePeriodSeconds"] <= 600
    env = {one["name"]: one.get("value") for one in environment(pool)}
    assert env["PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR"] == "reschedule"


def environment(pool):
    return rendered(pool)["spec"]["template"]["spec"]["containers"][0]["env"]


def test_gpu_pools_ask_for_a_gpu_and_go_to_its_nodes():
    for pool, gpus in {"cpu": 0, "gpu-sampling": 1, "gpu-training": 1}.items():
        pod = rendered(pool)["spec"]["template"]["spec"]
        resources = pod["containers"][0]["resources"]
        for side in ("requests", "limits"):
            assert resources[side]["nvidia.com/gpu"] == gpus
        assert bool(pod["nodeSelector"]) == bool(pod["tolerations"]) == bool(gpus)


def test_work_lies_on_a_volume_and_secrets_come_by_reference():
    env = {one["name"]: one.get("value") for one in environment("cpu")}
    assert env["TSO_WORK"] == "/work/tso" and env["TSO_PRESETS"] == "/presets"
    [container] = rendered("cpu")["spec"]["template"]["spec"]["containers"]
    sources = [next(iter(one.values()))["name"] for one in container["envFrom"]]
    assert sources == ["tso-settings", "tso-storage", "tso-keys"]


def test_workers_keep_the_login_out_of_manifests_and_watch_their_namespace_only():
    [shared] = documents(FOLDER / "values" / "worker.yaml")
    env = {one["name"]: one["value"] for one in shared["worker"]["extraEnvVars"]}
    prefix = "PREFECT_INTEGRATIONS_KUBERNETES"
    assert env == {
        f"{prefix}_WORKER_API_AUTH_STRING_SECRET_NAME": "prefect-auth",
        f"{prefix}_WORKER_API_AUTH_STRING_SECRET_KEY": "auth-string",
        f"{prefix}_OBSERVER_NAMESPACES": "tso",
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from prefect_kubernetes.settings import KubernetesSettings
    known = pytest.MonkeyPatch()
    for name, value in env.items():
        known.setenv(name, value)
    settings = KubernetesSettings()
    known.undo()
    assert settings.worker.api_auth_string_secret_name == "prefect-auth"
    assert settings.observer.namespaces == {"tso"}


# --- on a live Prefect server ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def pools(prefect_server):
    """Ids of the work pools, made on the server from the committed files."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate

    made = {}
    with get_client(sync_client=True) as client:
        for name in pool_names():
            template = json.loads((POOLS / f"{name}.json").read_text(encoding="utf-8"))
            pool = WorkPoolCreate(
                name=f"{name}-from-file", type="kubernetes", base_job_template=template
            )
            made[name] = client.create_work_pool(pool)
    return made


def deployed(pool, **job_variables):
    """The id of a deployment on `pool` with `job_variables`."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        flow = client.create_flow_from_name("tso")
        return client.create_deployment(
            flow_id=flow,
            name=f"on-{pool.name}-{len(job_variables)}",
            entrypoint="flows.tso:tso",
            work_pool_name=pool.name,
            job_variables=job_variables,
        )


@pytest.mark.parametrize("name", pool_names())
def test_a_server_takes_the_pool_as_it_is(pools, name):
    assert pools[name].base_job_template == pool_template(name)
    assert deployed(pools[name]) is not None


def test_a_deployment_may_ask_for_other_hardware(pools):
    more = {"gpus": 8, "memory_limit": "512Gi", "node_selector": {"gpu": "h200"}}
    assert deployed(pools["gpu-training"], **more) is not None
    resources = rendered_with(more)["containers"][0]["resources"]
    assert resources["limits"] == {"memory": "512Gi", "nvidia.com/gpu": 8}


def rendered_with(variables):
    from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration

    made = configured(KubernetesWorkerJobConfiguration, "gpu-training", variables)
    return made.job_manifest["spec"]["template"]["spec"]


@pytest.mark.parametrize("wrong", [{"gpus": "two"}, {"backoff_limit": -1}, {"user_id": 0}])
def test_a_server_refuses_job_variables_that_do_not_fit(pools, wrong):
    from prefect.exceptions import PrefectHTTPStatusError

    with pytest.raises(PrefectHTTPStatusError, match=r"409|422"):
        deployed(pools["cpu"], **wrong)
