# The service, without torch and without models: `make image`, see docs/containers.md.
#
# BASE can be a digest: --build-arg BASE=python:3.11-slim-bookworm@sha256:...
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
# pip reads both from the environment; an address is written neither here nor into the final image.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
WORKDIR /opt/fonoteka
RUN python3.11 -m venv /opt/venv
COPY requirements-serve.lock ./
# Each package that is needed is in the list. silero-vad would bring torch, of which nothing is
# used: 6.2 GB. Wheels alone, because the base has no compiler.
RUN /opt/venv/bin/pip install --no-cache-dir --no-deps --only-binary=:all: \
      --requirement requirements-serve.lock \
    && /opt/venv/bin/pip uninstall --yes pip setuptools
COPY fonoteka ./fonoteka
# Bytecode has to exist already, because nothing can be written beside it at run time.
RUN /opt/venv/bin/python -m compileall -q -j 0 /opt/venv/lib /opt/fonoteka

FROM ${BASE}
# ffmpeg decodes M4A and WebM. `--build-arg SYSTEM_PACKAGES=` builds without it.
ARG SYSTEM_PACKAGES=ffmpeg
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ${SYSTEM_PACKAGES} \
    && rm -rf /var/lib/apt/lists/*
# The gates read params.yaml, dvc.lock and reports of the project around data/models, which is
# recognised by its folder .dvc.
RUN groupadd --gid 1000 fonoteka \
    && useradd --uid 1000 --gid 1000 --no-create-home --home-dir /tmp fonoteka \
    && mkdir -p /project/.dvc /project/data/models
COPY --chown=root:root --from=build /opt/venv /opt/venv
COPY --chown=root:root --from=build /opt/fonoteka /opt/fonoteka
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/fonoteka \
    PYTHONSAFEPATH=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    FONOTEKA_PORT=8080
# Last, because a new revision would have each later step carried out again.
ARG REVISION=unknown
ARG VERSION=unknown
ARG SOURCE=unknown
ARG BASE
LABEL org.opencontainers.image.title="fonoteka-serve" \
      org.opencontainers.image.description="Speech recognition over HTTP and WebSockets: bs, en, hr, sr" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.base.name="${BASE}"
WORKDIR /project
USER 1000:1000
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-m", "fonoteka.images.health_check"]
# Exec form: the interpreter is process 1 and gets SIGTERM. The arguments are those of `serve`.
ENTRYPOINT ["python", "-m", "fonoteka.images.entrypoint"]
CMD []
