"""The rows of the table: what is measured, against which limit, and the goal."""

import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import httpx

from bench.load import Request, drive
from bench.overload import Offered, offer, percentile
from bench.servers import CLIENT_CORE, FOOTING, ROOT, SERVER_CORE, Server, serve, serve_footing
from bench.stage import POSTGRESQL, SQLITE, Stage, report, session

LIMIT, PRODUCT, PEER = "limit", "footing", "peer"
ROUTINE = "/v1/routines/daily-15-minutes"
JSON = {"Content-Type": "application/json"}
# An uncertain case, with questions left open.
EVALUATION = json.dumps(
    {
        "pain_score": 5,
        "weeks": 3,
        "trend": "worse",
        "age_years": 44,
        "country": "ES",
        "answers": {"radiating_pain": "left", "saddle_numbness": "no", "fever": "unknown"},
    }
)
BATCH = 500
OVERLOAD = 4
PER_SECOND, SECONDS, MILLISECONDS = "req/s", "s", "ms"
# What a participant reads most.
READ = {
    "me": "/v1/me",
    "progress": "/v1/me/progress",
    "sessions": "/v1/sessions?limit=10",
    "changes": "/v1/changes?limit=10",
}
AS_SHIPPED: Mapping[str, str] = {}
QUIET = {"log_level": "warning"}


@dataclass(frozen=True, slots=True)
class Contest:
    """What takes turns: each measures once, for about as many seconds as it is given."""

    turns: Mapping[str, Callable[[float], float]]
    # What else is to be said, once all turns are over.
    note: Callable[[], str] = field(default=str)
    # For a plot, how many own records each has.
    sizes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row; its ratio is that of the product to the limit."""

    name: str
    what: str
    limit: str
    goal: float
    unit: str = PER_SECOND
    # How many times the peer's value the product's is to be.
    peer_goal: float | None = None
    contest: Callable[[Stage], contextlib.AbstractContextManager[Contest]]

    @property
    def more_is_better(self) -> bool:
        """Whether the goal is a least value."""
        return self.unit == PER_SECOND


class Rates:
    """Servers that are driven in turn; their value is the rate.

    Processor time does not depend on what else runs on the core: it is noted beside the rates.
    """

    def __init__(self, least_seconds: float = 0) -> None:
        self.least_seconds = least_seconds
        self.turns: dict[str, Callable[[float], float]] = {}
        self.cpu: dict[str, list[float]] = {}

    def add(self, name: str, server: Server, request: Request) -> None:
        """Add a contestant."""
        seconds_each = self.cpu[name] = []

        def take(seconds: float) -> float:
            before = server.cpu_seconds()
            measured = drive(server.url, request, max(seconds, self.least_seconds))
            seconds_each.append((server.cpu_seconds() - before) / measured.requests)
            return measured.rate

        self.turns[name] = take

    def note(self) -> str:
        """Return the processor time of a request."""
        each = {name: statistics.median(values) * 1e6 for name, values in self.cpu.items()}
        parts = [f"{name} {value:,.0f} µs" for name, value in each.items()]
        return f"CPU per request: {', '.join(parts)}; ratio {each[LIMIT] / each[PRODUCT]:.3f}"

    def contest(self) -> Contest:
        """Return what takes turns."""
        return Contest(self.turns, self.note)


def content(
    request: Request, settings: Mapping[str, str] = AS_SHIPPED, *, peer: bool = False
) -> Callable[[Stage], contextlib.AbstractContextManager[Contest]]:
    """Compare a prepared response with the same bytes and headers from a bare ASGI app."""

    @contextlib.contextmanager
    def contest(stage: Stage) -> Iterator[Contest]:
        with contextlib.ExitStack() as stack:
            # The product reads no database here, and its peer the one that most would choose.
            kind = POSTGRESQL if peer else SQLITE
            product = stack.enter_context(stage.serve_footing(kind, settings))
            limit = stack.enter_context(
                stage.limit_of_response("prepared", product, request.path, headers=request.headers)
            )
            rates = Rates()
            rates.add(LIMIT, limit, request)
            rates.add(PRODUCT, product, request)
            if peer:
                server = stack.enter_context(stage.serve_peer(kind, product))
                with_token = replace(request, tokens=stage.tokens(kind, product))
                rates.add(PEER, server, with_token)
            yield rates.contest()

    return contest


@contextlib.contextmanager
def not_modified(stage: Stage, settings: Mapping[str, str] = AS_SHIPPED) -> Iterator[Contest]:
    """Ask for a routine that the client already has."""
    with stage.serve_footing(settings=settings) as product:
        tag = httpx.get(product.url + ROUTINE, trust_env=False).headers["ETag"]
        request = Request(ROUTINE, headers={"If-None-Match": tag})
        with stage.limit_of_response(
            "prepared", product, ROUTINE, headers=request.headers
        ) as limit:
            rates = Rates()
            rates.add(LIMIT, limit, request)
            rates.add(PRODUCT, product, request)
            yield rates.contest()


@contextlib.contextmanager
def evaluation(stage: Stage) -> Iterator[Contest]:
    """Compare an evaluation with a route that parses the body and returns constant bytes."""
    path = "/v1/triage/evaluations"
    request = Request(path, "POST", EVALUATION, JSON)
    with (
        stage.serve_footing() as product,
        stage.limit_of_response(
            "evaluation", product, path, headers=JSON, body=EVALUATION
        ) as limit,
    ):
        rates = Rates()
        rates.add(LIMIT, limit, request)
        rates.add(PRODUCT, product, request)
        yield rates.contest()


def upload(
    path: str, kind: str, body: Callable[[], object], app: str, *, peer: bool = False
) -> Callable[[Stage], contextlib.AbstractContextManager[Contest]]:
    """Compare uploads with inserts of a session, or with the app that is named."""
    # Enough to keep the server busy; a batch is the work of hundreds of uploads.
    connections, least_seconds = (2, 10.0) if app == "copy" else (32, 2.0)

    @contextlib.contextmanager
    def contest(stage: Stage) -> Iterator[Contest]:
        with contextlib.ExitStack() as stack:
            product = stack.enter_context(stage.serve_footing(kind))
            tokens = stage.tokens(kind, product)
            limit = stack.enter_context(
                serve(f"limits:{app}", BENCH_DATABASE_URL=stage.database(kind))
            )
            request = Request(path, "POST", json.dumps(body()), JSON, tokens, connections)
            of_limit = request
            if app != "copy":
                sent = json.dumps(session())
                of_limit = Request("/v1/sessions", "POST", sent, JSON, tokens, connections)
            rates = Rates(least_seconds)
            rates.add(LIMIT, limit, of_limit)
            rates.add(PRODUCT, product, request)
            if peer:
                rates.add(PEER, stack.enter_context(stage.serve_peer(kind, product)), request)
            yield rates.contest()

    return contest


def latency(server: Server, path: str, token: str) -> Callable[[float], float]:
    """Ask for one response at a time; its value is the median latency in milliseconds."""
    request = Request(path, tokens=[token], connections=1)
    return lambda seconds: 1000 * drive(server.url, request, seconds).p50


def own_records(
    kind: str, path: str
) -> Callable[[Stage], contextlib.AbstractContextManager[Contest]]:
    """Compare a participant who has few sessions with those who have more."""

    @contextlib.contextmanager
    def contest(stage: Stage) -> Iterator[Contest]:
        with stage.serve_footing(kind) as product:
            most = stage.sizes.own
            between = {f"{size:,}": size for size in (100, 1000, 10_000) if size < most}
            sizes = {LIMIT: 10, **between, PRODUCT: most}
            turns = {
                name: latency(product, path, stage.participant(product, stage.database(kind), size))
                for name, size in sizes.items()
            }
            yield Contest(turns, lambda: f"10 and {most:,} own sessions", sizes)

    return contest


def all_records(
    kind: str, path: str
) -> Callable[[Stage], contextlib.AbstractContextManager[Contest]]:
    """Compare the same participant among few others and among many."""

    @contextlib.contextmanager
    def contest(stage: Stage) -> Iterator[Contest]:
        people, sessions = stage.sizes.people, stage.sizes.sessions
        large = stage.filled_database(kind)
        with contextlib.ExitStack() as stack:
            turns = {}
            for name, url in ((LIMIT, stage.database(kind)), (PRODUCT, large)):
                server = stack.enter_context(serve_footing(url, {}))
                turns[name] = latency(server, path, stage.participant(server, url, 10))
            note = f"among {people:,} participants with {sessions:,} sessions"
            yield Contest(turns, lambda: note)

    return contest


def overload(kind: str) -> Callable[[Stage], contextlib.AbstractContextManager[Contest]]:
    """Compare latencies of accepted uploads at the capacity and at four times as many."""

    @contextlib.contextmanager
    def contest(stage: Stage) -> Iterator[Contest]:
        with stage.serve_footing(kind) as server:
            tokens = stage.tokens(kind, server)
            request = Request("/v1/sessions", "POST", json.dumps(session()), JSON, tokens)
            capacity = drive(server.url, request, 5).rate
            before = server.resident_bytes()
            too_many: list[Offered] = []

            def at_capacity(seconds: float) -> float:
                offered = offer(server.url, request, capacity, seconds)
                return 1000 * percentile(offered.accepted, 99)

            def at_four_times(seconds: float) -> float:
                too_many.append(offer(server.url, request, OVERLOAD * capacity, seconds))
                return 1000 * percentile(too_many[-1].accepted, 99)

            def note() -> str:
                refused = [each for offered in too_many for each in offered.refused]
                accepted = sum(len(offered.accepted) for offered in too_many)
                grown = (server.resident_bytes() - before) / 2**20
                return (
                    f"capacity {capacity:.0f}/s; {accepted} accepted, {len(refused)} refused, "
                    f"p99 of refusals {1000 * percentile(refused, 99):.0f} ms, "
                    f"{sum(offered.abrupt for offered in too_many)} without Retry-After; "
                    f"sent up to {1000 * max(each.behind for each in too_many):.0f} ms late; "
                    f"memory grew by {grown:.0f} MiB"
                )

            yield Contest({LIMIT: at_capacity, PRODUCT: at_four_times}, note)

    return contest


@contextlib.contextmanager
def second_worker(stage: Stage) -> Iterator[Contest]:
    """Compare evaluations by two processes on all cores with those by one."""
    request = Request("/v1/triage/evaluations", "POST", EVALUATION, JSON)
    url, cores = stage.database(SQLITE), f"{SERVER_CORE},{CLIENT_CORE}"
    with (
        serve_footing(url, {}, workers=1, cpus=cores) as one,
        serve_footing(url, {}, workers=2, cpus=cores) as two,
    ):
        yield Contest(
            {
                LIMIT: lambda seconds: drive(one.url, request, seconds).rate,
                PRODUCT: lambda seconds: drive(two.url, request, seconds).rate,
            },
            lambda: "the client shares the cores",
        )


def timed(*command: str) -> float:
    """Run a command to its end on the core of the servers; return the seconds it took."""
    started = time.perf_counter()
    subprocess.run(
        ["taskset", "--cpu-list", str(SERVER_CORE), *command],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - started


def imports(_seconds: float) -> float:
    """Import the libraries that any such service needs."""
    return timed(sys.executable, "-c", "import fastapi, sqlmodel")


@contextlib.contextmanager
def start(stage: Stage) -> Iterator[Contest]:
    """Start the server, up to its first response."""
    stage.database(SQLITE)
    resident: list[int] = []
    cpu: list[float] = []

    def once(_seconds: float) -> float:
        with stage.serve_footing() as server:
            resident.append(server.resident_bytes())
            cpu.append(server.cpu_seconds())
            return server.start_seconds

    yield Contest(
        {LIMIT: imports, PRODUCT: once},
        lambda: (
            f"CPU {statistics.median(cpu):.2f} s; {max(resident) / 2**20:.0f} MiB resident after "
            "the first response"
        ),
    )


@contextlib.contextmanager
def start_help(_stage: Stage) -> Iterator[Contest]:
    """Print the help of the command."""
    yield Contest({LIMIT: imports, PRODUCT: lambda _: timed(*FOOTING, "--help")})


BUNDLE = Request("/v1/content", headers={"Accept-Encoding": "br"})
BARE = "the same bytes and headers from a bare ASGI callable on the same uvicorn"
ASYNCPG = "bare ASGI: parse JSON, one asyncpg `INSERT … ON CONFLICT` of the same row, commit"
AIOSQLITE = "the same through bare aiosqlite, one writer, the same pragmas"
ROWS = (
    Row(
        name="routine",
        what="`GET /v1/routines/{id}` 200",
        limit=BARE,
        goal=0.6,
        peer_goal=20,
        contest=content(Request(ROUTINE), peer=True),
    ),
    Row(
        name="routine-quiet",
        what="the same, access lines off",
        limit=BARE,
        goal=0.8,
        contest=content(Request(ROUTINE), QUIET),
    ),
    Row(
        name="not-modified",
        what="the same with `If-None-Match`, 304",
        limit=BARE,
        goal=0.6,
        contest=not_modified,
    ),
    Row(
        name="not-modified-quiet",
        what="the same, access lines off",
        limit=BARE,
        goal=0.8,
        contest=lambda stage: not_modified(stage, QUIET),
    ),
    Row(
        name="bundle",
        what="`GET /v1/content`, compressed",
        limit=BARE,
        goal=0.6,
        contest=content(BUNDLE),
    ),
    Row(
        name="bundle-quiet",
        what="the same, access lines off",
        limit=BARE,
        goal=0.8,
        contest=content(BUNDLE, QUIET),
    ),
    Row(
        name="evaluation",
        what="`POST /v1/triage/evaluations`",
        limit="a FastAPI route that parses the body into a pydantic model, and returns constant "
        "bytes",
        goal=0.5,
        contest=evaluation,
    ),
    Row(
        name="session-postgresql",
        what="`POST /v1/sessions`, PostgreSQL, durable commit",
        limit=ASYNCPG,
        goal=0.5,
        peer_goal=2,
        contest=upload("/v1/sessions", POSTGRESQL, session, POSTGRESQL, peer=True),
    ),
    Row(
        name="session-sqlite",
        what="`POST /v1/sessions`, SQLite, `synchronous=FULL`",
        limit=AIOSQLITE,
        goal=0.5,
        peer_goal=2,
        contest=upload("/v1/sessions", SQLITE, session, SQLITE, peer=True),
    ),
    Row(
        name="report-postgresql",
        what="`POST /v1/symptom-reports`, PostgreSQL",
        limit="one session: " + ASYNCPG,
        goal=0.3,
        contest=upload("/v1/symptom-reports", POSTGRESQL, report, POSTGRESQL),
    ),
    Row(
        name="report-sqlite",
        what="`POST /v1/symptom-reports`, SQLite",
        limit="one session: " + AIOSQLITE,
        goal=0.3,
        contest=upload("/v1/symptom-reports", SQLITE, report, SQLITE),
    ),
    Row(
        name="batch",
        what=f"`POST /v1/batches` of {BATCH} sessions, PostgreSQL",
        limit="bare ASGI: parse JSON, asyncpg `COPY` of the same rows",
        goal=0.25,
        contest=upload(
            "/v1/batches", POSTGRESQL, lambda: {"sessions": [session()] * BATCH}, "copy"
        ),
    ),
    Row(
        name="start",
        what="`footing serve` to its first response",
        limit='`python -c "import fastapi, sqlmodel"`',
        goal=1.7,
        unit=SECONDS,
        contest=start,
    ),
    Row(
        name="help",
        what="`footing --help`",
        limit='`python -c "import fastapi, sqlmodel"`',
        goal=1.2,
        unit=SECONDS,
        contest=start_help,
    ),
    Row(
        name="workers",
        what="evaluations by two workers",
        limit="one worker",
        goal=1.7,
        contest=second_worker,
    ),
    *(
        Row(
            name=f"overload-{kind}",
            what=f"p99 of accepted uploads at {OVERLOAD} × the capacity, {kind}",
            limit="the same at 1 ×",
            goal=3,
            unit=MILLISECONDS,
            contest=overload(kind),
        )
        for kind in (POSTGRESQL, SQLITE)
    ),
    *(
        Row(
            name=f"own-{name}-{kind}",
            what=f"`GET {path}` with many own sessions, {kind}",
            limit="the same with 10",
            goal=1.3,
            unit=MILLISECONDS,
            contest=own_records(kind, path),
        )
        for kind in (POSTGRESQL, SQLITE)
        for name, path in READ.items()
    ),
    *(
        Row(
            name=f"all-{name}-{kind}",
            what=f"`GET {path}` among many participants, {kind}",
            limit="the same among few",
            goal=1.3,
            unit=MILLISECONDS,
            contest=all_records(kind, path),
        )
        for kind in (POSTGRESQL, SQLITE)
        for name, path in READ.items()
    ),
)
