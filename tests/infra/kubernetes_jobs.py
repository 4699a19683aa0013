"""Kubernetes' schemas, and jobs as Prefect's worker makes them."""

import uuid
import warnings
from functools import cache

import yaml

from infra.kubernetes.templates import pool_template

KUBERNETES = "1.34"
"""The version whose schemas decide."""


def documents(file):
    return [one for one in yaml.safe_load_all(file.read_text(encoding="utf-8")) if one]


@cache
def validator():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import kubernetes_validate

    return kubernetes_validate


def check(manifest):
    validator().validate(manifest, KUBERNETES, strict=True)


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
