# syntax=docker/dockerfile:1.9
# Orchestrators, judging, evaluation, ticks: the pool `cpu`. From the root of the repository:
#   docker build -f infra/images/orchestrator.Dockerfile -t registry.example.com/tso/orchestrator:0.1.0 .
# torch comes with CUDA's libraries (3 GB); with --build-arg TORCH_INDEX=URL of PyTorch's index of CPU
# builds it comes without them.
ARG PYTHON=3.11.13-slim-bookworm

FROM python:${PYTHON} AS build
ARG TORCH_INDEX=""
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_EXTRA_INDEX_URL=${TORCH_INDEX}
RUN python -m venv /opt/venv && /opt/venv/bin/python -m pip install "pip>=25.1,<27"
WORKDIR /opt/tso
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY flows/ flows/
COPY tasks/ tasks/
COPY infra/ infra/
RUN /opt/venv/bin/python -m pip install -c constraints.txt -e . \
    && /opt/venv/bin/python -m compileall -q /opt/venv/lib /opt/tso

FROM python:${PYTHON}
LABEL org.opencontainers.image.title="tso-orchestrator" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 1000 tso \
    && useradd --uid 1000 --gid 1000 --home-dir /work --no-create-home --shell /usr/sbin/nologin tso \
    && install -d -o tso -g tso /work
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/tso /opt/tso
COPY prefect.yaml /opt/tso/prefect.yaml
ENV PATH=/opt/venv/bin:${PATH} \
    HOME=/work \
    TSO_WORK=/work/tso \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PREFECT_SERVER_EPHEMERAL_ENABLED=false \
    DO_NOT_TRACK=1
WORKDIR /opt/tso
USER 1000:1000
# A job ends by itself; a container that runs a worker is healthy while its server answers.
HEALTHCHECK --interval=60s --timeout=15s --start-period=60s --retries=3 \
    CMD ["python", "-m", "infra.images.health"]
CMD ["prefect", "flow-run", "execute"]
