"""Manifests, job templates and chart values: valid by Kubernetes' schemas, and least rights."""

import ast
import importlib.util
import json
import uuid
import warnings
from functools import cache
from pathlib import Path

import pytest
import yaml

from infra.kubernetes.templates import FOLDER, POOLS, pool_names, pool_template, written

MANIFESTS = sorted((FOLDER / "manifests").glob("*.yaml"))
VALUES = sorted((FOLDER / "values").glob("*.yaml"))
KUBERNETES = "1.34"
"""The version whose schemas decide."""
OWN = {
    "external-secrets.io/v1": "ExternalSecret",
    "kustomize.config.k8s.io/v1beta1": "Kustomization",
}
"""Kinds that are no part of Kubernetes: their schemas are not at hand."""


def documents(file):
    return [one for one in yaml.safe_load_all(file.read_text(encoding="utf-8")) if one]


ALL = [one for file in MANIFESTS for one in documents(file)]
GIVEN = [one for one in ALL if one["apiVersion"] not in OWN]


def of_kind(kind, namespace="tso"):
    return {
        one["metadata"]["name"]: one
        for one in ALL
        if one["kind"] == kind and one["metadata"].get("namespace") == namespace
    }


@cache
def validator():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import kubernetes_validate

    return kubernetes_validate


def check(manifest):
    validator().validate(manifest, KUBERNETES, strict=True)


def named(one):
    return f"{one['kind']}-{one['metadata'].get('namespace', '')}-{one['metadata']['name']}"


@pytest.mark.parametrize("manifest", GIVEN, ids=named)
def test_manifests_are_valid_by_kubernetes_own_schema(manifest):
    check(manifest)


def test_the_schema_refuses_a_misspelt_field():
    broken = json.loads(json.dumps(of_kind("NetworkPolicy")["deny-all"]))
    broken["spec"]["podSelectors"] = broken["spec"].pop("podSelector")
    with pytest.raises(validator().ValidationError):
        check(broken)


def test_kustomize_takes_every_manifest_and_nothing_else():
    [listed] = [one["resources"] for one in ALL if one["kind"] == "Kustomization"]
    there = {file.name for file in MANIFESTS} - {"kustomization.yaml"}
    assert set(listed) == there and len(listed) == len(there)


def test_no_manifest_and_no_values_hold_a_secret():
    assert [one for one in ALL if one["kind"] == "Secret"] == []
    for file in VALUES:
        text = file.read_text(encoding="utf-8")
        assert "authString" not in text and "password: " not in text, file


def test_every_secret_that_is_named_is_fetched_from_the_vault():
    made = {
        (one["metadata"]["namespace"], one["spec"]["target"]["name"])
        for one in ALL
        if one["kind"] == "ExternalSecret"
    }
    named_by_values = {("prefect", "prefect-auth"), ("prefect", "prefect-database")}
    defaults = pool_template("cpu")["variables"]["properties"]
    named_by_jobs = {("tso", defaults[one]["default"]) for one in ("storage_secret", "keys_secret")}
    assert made == named_by_values | named_by_jobs | {("tso", "prefect-auth")}


def test_each_namespace_denies_all_traffic_that_no_policy_allows():
    for namespace in ("prefect", "tso"):
        policy = of_kind("NetworkPolicy", namespace)["deny-all"]["spec"]
        assert policy == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_jobs_reach_public_addresses_by_tls_and_no_metadata_service():
    [rule] = of_kind("NetworkPolicy")["job-to-store-and-judges"]["spec"]["egress"]
    [block] = [one["ipBlock"] for one in rule["to"]]
    assert rule["ports"] == [{"protocol": "TCP", "port": 443}]
    assert {"169.254.0.0/16", "10.0.0.0/8", "127.0.0.0/8"} <= set(block["except"])


def test_policies_select_labels_that_jobs_and_charts_carry():
    job = rendered("cpu")["spec"]["template"]["metadata"]["labels"]
    spec = of_kind("NetworkPolicy")["job-to-store-and-judges"]["spec"]
    assert spec["podSelector"]["matchLabels"].items() <= job.items()


def test_namespaces_enforce_the_restricted_standard():
    spaces = [one for one in ALL if one["kind"] == "Namespace"]
    label = "pod-security.kubernetes.io/enforce"
    assert [one["metadata"]["labels"][label] for one in spaces] == ["restricted"] * 2


# --- what the worker may do -----------------------------------------------------------------------


def calls_of_the_worker():
    """Verbs and resources that prefect-kubernetes' worker and observer ask of the API server."""
    package = Path(importlib.util.find_spec("prefect_kubernetes").origin).parent
    asked = set()
    for name in ("worker.py", "observer.py"):
        for node in ast.walk(ast.parse((package / name).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and "_namespaced_" in node.attr:
                verb, _, resource = node.attr.partition("_namespaced_")
                asked.add(("get" if verb == "read" else verb, resource))
    return {one for one in asked if one[1] != "secret"}


def test_the_worker_may_do_what_prefect_asks_for_and_nothing_else():
    [role] = of_kind("Role").values()
    allowed = {
        (verb, resource)
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    plural = {"job": "jobs", "pod": "pods", "pod_log": "pods/log"}
    asked = {(verb, plural[resource]) for verb, resource in calls_of_the_worker()}
    watched = {(verb, kind) for verb in ("get", "list", "watch") for kind in ("jobs", "pods")}
    assert allowed == asked | watched
    assert {("create", "jobs"), ("delete", "jobs")} <= asked


def test_no_right_reaches_beyond_the_namespace_and_jobs_have_none():
    assert [one for one in ALL if one["kind"].startswith("Cluster")] == []
    [binding] = of_kind("RoleBinding").values()
    assert [one["name"] for one in binding["subjects"]] == ["tso-worker"]
    assert of_kind("ServiceAccount")["tso-job"]["automountServiceAccountToken"] is False


# --- jobs -----------------------------------------------------------------------------------------


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


@cache
def rendered(pool, **variables):
    """The job that Prefect's own worker would make for a flow run on `pool`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration

    from prefect.client.schemas.objects import Flow, FlowRun

    configuration = configured(KubernetesWorkerJobConfiguration, pool, variables)
    run = FlowRun(id=uuid.UUID(int=1), name="weekly · 1 round more", flow_id=uuid.UUID(int=2))
    configuration.prepare_for_flow_run(run, flow=Flow(id=uuid.UUID(int=2), name="tso"))
    return configuration.job_manifest


def configured(kind, pool, variables):
    from prefect.utilities.templating import apply_values

    template = pool_template(pool)
    known = template["variables"]["properties"].items()
    values = {name: one["default"] for name, one in known if "default" in one}
    return kind(**apply_values(template["job_configuration"], {**values, **variables}))


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
