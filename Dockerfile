# syntax=docker/dockerfile:1
# One image, two commands: "llm-proxy serve" and "llm-loki-ship run".
# The base is pinned by its exact tag, that of the Python which the tests run on; pin its digest where you build.

FROM python:3.11.14-slim-trixie AS build
COPY --from=ghcr.io/astral-sh/uv:0.13.9 /uv /usr/local/bin/uv
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
RUN uv venv /app
ENV VIRTUAL_ENV=/app
WORKDIR /src
COPY requirements.lock ./
RUN --mount=type=cache,target=/root/.cache/uv uv pip sync --require-hashes --only-binary :all: requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY groundwork groundwork
COPY proxy proxy
COPY shipper shipper
RUN uv pip install --no-deps --no-build-isolation .

# The same base, as the commands name its interpreter by path.
FROM python:3.11.14-slim-trixie
RUN groupadd --gid 10001 app \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin app \
    && install --directory --owner 10001 --group 10001 --mode 0750 /var/log/llm
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 LLM_PROXY_LOG_DIR=/var/log/llm
USER 10001:10001
VOLUME ["/var/log/llm"]
STOPSIGNAL SIGTERM
# For compose; ECS reads the probes of its task definition. The shipper's is its own, in compose too.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s CMD ["llm-proxy", "health"]
CMD ["llm-proxy", "serve"]
