# One image for the web server and the worker:
#   docker run -p 8000:8000 --env-file .env timelessmusic                               the web server
#   docker run --env-file .env timelessmusic python manage.py queue work                a worker
#   docker run --env-file .env timelessmusic python manage.py migrate                   before a new version
FROM python:3.13-slim AS build
WORKDIR /app
COPY requirements.txt constraints.txt ./
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --disable-pip-version-check -r requirements.txt
ENV PATH=/venv/bin:$PATH
COPY manage.py openapi.yml ./
COPY timelessmusic timelessmusic
COPY tickets tickets
COPY templates templates
COPY locale locale
COPY data data
# Only to read the settings: neither value leaves this line.
RUN SECRET_KEY=used-by-collectstatic-alone-and-never-signing-anything DATABASE_URL=sqlite:///:memory: \
    python manage.py collectstatic --no-input && python -m compileall -q .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home shop
WORKDIR /app
COPY --from=build /venv /venv
COPY --from=build /app /app
# Backpressure counts open connections, idle ones too: with fewer, browsers that keep theirs would shut others out.
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GRANIAN_INTERFACE=wsgi \
    GRANIAN_HOST=0.0.0.0 \
    GRANIAN_PORT=8000 \
    GRANIAN_WORKERS=2 \
    GRANIAN_BLOCKING_THREADS=8 \
    GRANIAN_BACKPRESSURE=4096 \
    GRANIAN_WEBSOCKETS=false \
    GRANIAN_WORKERS_KILL_TIMEOUT=8
USER 10001
EXPOSE 8000
# Of the web server; start a worker with --no-healthcheck, it serves no HTTP and ends when it can't go on.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"GRANIAN_PORT\"]}/healthz', timeout=2)"]
# Exec form, so that granian itself gets SIGTERM: it finishes the requests in hand and ends.
CMD ["granian", "timelessmusic.wsgi:application"]
