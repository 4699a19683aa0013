"""Manifests, job templates and chart values: valid by Kubernetes' schemas, and least rights."""

import ast
import importlib.util
import json
from pathlib import Path

import pytest

from infra.kubernetes.templates import FOLDER, pool_template
from tests.infra.kubernetes_jobs import check, documents, rendered, validator

MANIFESTS = sorted((FOLDER / "manifests").glob("*.yaml"))
VALUES = sorted((FOLDER / "values").glob("*.yaml"))
OWN = {
    "external-secrets.io/v1": "ExternalSecret",
    "kustomize.config.k8s.io/v1beta1": "Kustomization",
}
"""Kinds that are no part of Kubernetes: their schemas are not at hand."""


ALL = [one for file in MANIFESTS for one in documents(file)]
GIVEN = [one for one in ALL if one["apiVersion"] not in OWN]


def of_kind(kind, namespace="tso"):
    return {
        one["metadata"]["name"]: one
        for one in ALL
        if one["kind"] == kind and one["metadata"].get("namespace") == namespace
    }


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
