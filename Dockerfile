# Two images: `--target cpu` for every step, `--target gpu` for the trainer where there are NVIDIA GPUs.
# The layers that change seldom come first: a change of the code renews the last one alone.
FROM python:3.11-slim-bookworm AS dependencies
ENV PATH=/opt/sluice/bin:$PATH PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# Kubeflow's launcher keeps artifacts of object stores below these as whichever user the step has.
RUN useradd --uid 1000 --create-home sluice && mkdir /gcs /s3 /minio && chown sluice /gcs /s3 /minio
WORKDIR /src
COPY requirements.lock ./
# What nothing imports goes again: tools, headers, libraries' own tests, and two packages that others only ask for.
RUN python -m venv /opt/sluice && \
    /opt/sluice/bin/python -m pip install --no-deps --require-hashes -r requirements.lock && \
    /opt/sluice/bin/python -m pip uninstall --yes --quiet flask flask-cors google-cloud-aiplatform libclang import-linter ipykernel kubeflow-trainer-api mypy nbclient pandas-stubs pytest pytest-xdist ruff uv && \
    find /opt/sluice/lib -type d -name tests -prune -exec rm -rf {} + && \
    rm -rf /opt/sluice/lib/python3*/site-packages/tensorflow/include /opt/sluice/lib/python3*/site-packages/pyarrow/include

FROM dependencies AS package
COPY pyproject.toml README.md LICENSE ./
COPY transforms transforms
COPY tasks tasks
COPY components components
COPY pipelines pipelines
COPY sluice sluice
RUN /opt/sluice/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

FROM dependencies AS cuda
COPY requirements-gpu.lock ./
RUN /opt/sluice/bin/python -m pip install --no-deps --require-hashes -r requirements-gpu.lock

FROM cuda AS gpu
RUN --mount=type=bind,from=package,source=/wheels,target=/wheels \
    /opt/sluice/bin/python -m pip install --no-deps --no-index /wheels/sluice_pipelines-*.whl
USER 1000
WORKDIR /home/sluice
ENTRYPOINT ["sluice"]

# The last one is what `docker build` makes without a target.
FROM dependencies AS cpu
RUN --mount=type=bind,from=package,source=/wheels,target=/wheels \
    /opt/sluice/bin/python -m pip install --no-deps --no-index /wheels/sluice_pipelines-*.whl
USER 1000
WORKDIR /home/sluice
ENTRYPOINT ["sluice"]
