# Two images of one service:
#   docker build --target api .      the HTTP interface without torch: drawing and translating are done elsewhere
#   docker build --target worker .   with torch: trains, and can serve the whole HTTP interface too

FROM python:3.11.14-slim-bookworm AS python
ENV PATH=/opt/venv/bin:$PATH \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PYTHONUNBUFFERED=1
WORKDIR /opt/forger

FROM python AS api-packages
COPY requirements/api.lock requirements/
RUN python -m venv /opt/venv && pip install --require-hashes -r requirements/api.lock

FROM python AS worker-packages
# Options for pip, as `make setup` takes them: "--index-url <torch's index of CPU wheels>" makes a far smaller image.
ARG TORCH_FLAGS=
COPY requirements/torch.txt requirements/worker.lock requirements/
RUN python -m venv /opt/venv \
    && pip install $TORCH_FLAGS -r requirements/torch.txt \
    && pip install --require-hashes -r requirements/worker.lock

FROM python AS code
RUN useradd --system --uid 10001 --no-create-home --home-dir /var/lib/forger forger \
    && install --directory --owner forger --mode 0700 /var/lib/forger
COPY --chmod=755 deploy/forger /usr/local/bin/
COPY alembic.ini ./
COPY alembic alembic
COPY models models
COPY data data
COPY serving serving
COPY forger forger
COPY app app
COPY docs/pictures/recipes docs/pictures/recipes
COPY docs/pictures/lecture docs/pictures/lecture
COPY examples/lecture examples/lecture
COPY bench/results/lecture bench/results/lecture
ENV PYTHONPATH=/opt/forger \
    FORGER_HOME=/var/lib/forger \
    FORGER_HOST=0.0.0.0 \
    FORGER_PORT=8000
USER forger
VOLUME /var/lib/forger
ENTRYPOINT ["forger"]

FROM code AS api
COPY --from=api-packages /opt/venv /opt/venv
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/livez', timeout=4)"]
CMD ["serve", "--only", "api"]

FROM code AS worker
COPY --from=worker-packages /opt/venv /opt/venv
COPY worker worker
HEALTHCHECK --interval=60s --timeout=20s --start-period=60s \
    CMD ["python", "-c", "import sys; from app.services.system import health; sys.exit(health.database() or health.broker())"]
CMD ["serve", "--only", "worker"]
