# syntax=docker/dockerfile:1.9
# vLLM servers of our own: the pool `gpu-sampling`. From the root of the repository:
#   docker build -f infra/images/sampling.Dockerfile -t registry.example.com/tso/sampling:0.1.0 .
# Two environments, because vLLM's fastapi conflicts with Prefect's: /opt/venv and /opt/vllm.
# CUDA comes with torch; the node brings the driver.
ARG PYTHON=3.11.13-slim-bookworm

FROM python:${PYTHON} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv && /opt/venv/bin/python -m pip install "pip>=25.1,<27"
WORKDIR /opt/tso
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY flows/ flows/
COPY tasks/ tasks/
COPY infra/ infra/
RUN /opt/venv/bin/python -m pip install -c constraints.txt -e . \
    && /opt/venv/bin/python -m compileall -q /opt/venv/lib /opt/tso

FROM python:${PYTHON} AS vllm
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/vllm && /opt/vllm/bin/python -m pip install "pip>=25.1,<27"
WORKDIR /opt/tso
COPY pyproject.toml infra/images/constraints-vllm.txt ./
RUN /opt/vllm/bin/python -m pip install -c constraints-vllm.txt --group sampling \
    && /opt/vllm/bin/python -m compileall -q /opt/vllm/lib

FROM python:${PYTHON}
LABEL org.opencontainers.image.title="tso-sampling" \
      org.opencontainers.image.licenses="Apache-2.0"
# vLLM's kernels in Triton need a compiler when a server starts.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
RUN groupadd --gid 1000 tso \
    && useradd --uid 1000 --gid 1000 --home-dir /work --no-create-home --shell /usr/sbin/nologin tso \
    && install -d -o tso -g tso /work
COPY --from=build /opt/venv /opt/venv
COPY --from=vllm /opt/vllm /opt/vllm
COPY --from=build /opt/tso /opt/tso
COPY prefect.yaml /opt/tso/prefect.yaml
ENV CC=gcc \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    PATH=/opt/venv/bin:${PATH} \
    HOME=/work \
    TSO_WORK=/work/tso \
    TSO_SAMPLING_PYTHON=/opt/vllm/bin/python \
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
