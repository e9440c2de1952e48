FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_PYTHON=/opt/footing/bin/python
WORKDIR /build
RUN python -m venv --without-pip /opt/footing
# The lock has four parts. Development is left out; Build is needed only here and is removed below.
COPY requirements.lock ./
RUN sed '/^# Development/,$d' requirements.lock > image.lock \
    && sed -n '/^# Build/,$p' image.lock > build.lock \
    && pip install --require-hashes --no-deps --only-binary :all: -r image.lock
COPY pyproject.toml README.md LICENSE ./
COPY api api
COPY alembic alembic
COPY seed seed
RUN pip install --no-deps --no-build-isolation . \
    && pip uninstall --yes -r build.lock

FROM python:3.13-slim
LABEL org.opencontainers.image.title="Footing" \
    org.opencontainers.image.description="The open backend for apps that help people with back pain through their feet." \
    org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/footing/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    FOOTING_DATABASE_URL=sqlite:////data/footing.db \
    FOOTING_PUBLICATION_LOG=/log/publications.log
# A fixed user id, for volumes and clusters. Only /data and /log are written to.
# The publication log must survive a restore of the database, so it is not in /data. No volume is
# declared for it: an anonymous one would be lost with its container, without a warning.
RUN useradd --uid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin footing \
    && install --directory --owner=footing --group=footing /data /log
COPY --from=build /opt/footing /opt/footing
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
# Migrations and content are separate steps, run once before: `migrate`, then `seed`.
ENTRYPOINT ["footing"]
CMD ["serve", "--host", "0.0.0.0"]
