"""Clinician endpoints: the catalogue, a table, a series. Only from publications."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from api.aggregates import formats, service
from api.aggregates.deps import CurrentlyAvailable, JsonOnly, WantedForm
from api.aggregates.fhir import MEDIA_TYPE as FHIR
from api.aggregates.formats import CSV, AggregateResponse, Form
from api.aggregates.schemas import (
    CSV_EXAMPLE,
    CSV_SCHEMA,
    FHIR_BUNDLE,
    FHIR_BUNDLE_EXAMPLE,
    FHIR_REPORT,
    FHIR_REPORT_EXAMPLE,
    AggregateIndex,
    AggregateSeries,
    AggregateTable,
    Json,
)
from api.clinicians.deps import AuditedRoute, ClinicianOnly
from api.http.conditional import make_body, respond
from api.http.deps import ReadDb
from api.http.fields import LocalDate
from api.http.openapi import content_responses

router = APIRouter(
    prefix="/v1", tags=["aggregates"], route_class=AuditedRoute, dependencies=[ClinicianOnly]
)

NAME = r"^[a-z][a-z0-9_]*$"
TableInPath = Annotated[str, Path(max_length=32, pattern=NAME, examples=["routine"])]
Table = Annotated[
    str,
    Query(
        max_length=32,
        pattern=NAME,
        description="One of the available tables.",
        examples=["routine"],
    ),
]
Stat = Annotated[
    str,
    Query(max_length=32, pattern=NAME, description="A figure of the table.", examples=["people"]),
]
CellKey = Annotated[
    str, Query(max_length=64, description="A key of the table.", examples=["daily-15-minutes"])
]
Kind = Annotated[
    str | None,
    Query(
        max_length=32,
        pattern=NAME,
        description="A kind of period of the table; default: the first one.",
        examples=["week"],
    ),
]
StartsOn = Annotated[
    LocalDate | None,
    Query(description="First day of a period; default: the newest released one."),
]
From = Annotated[
    LocalDate | None,
    Query(alias="from", description="First day of a period; default: that of the first one."),
]
To = Annotated[
    LocalDate | None,
    Query(alias="to", description="Last day of a period; default: that of the last closed one."),
]


def forms(model: Any, fhir: Json, fhir_example: Json) -> dict[int | str, Json]:
    """Describe a response in its three formats."""
    responses = content_responses(model)
    responses[200]["content"] = {
        CSV: {"schema": CSV_SCHEMA, "example": CSV_EXAMPLE},
        FHIR: {"schema": fhir, "example": fhir_example},
    }
    return responses | {406: {}}


def send(
    request: Request,
    found: AggregateIndex | AggregateResponse,
    language: str,
    form: Form | None = None,
) -> Response:
    """Send a response, or 304. Shared caches never store it, and clients revalidate each time."""
    headers = {}
    if form is None or isinstance(found, AggregateIndex):
        body = make_body(found.model_dump_json().encode(), language=language, quick=True)
    else:
        written = formats.write(found, form, language)
        body = make_body(written.data, media_type=written.media_type, language=language, quick=True)
        if form.media_type == CSV:
            disposition = f'attachment; filename="{written.file_name}"'
            headers["Content-Disposition"] = disposition
    return respond(request, body, max_age=0, private=True, negotiated=True, more=headers)


@router.get(
    "/aggregates",
    response_model=None,
    dependencies=[JsonOnly],
    responses=content_responses(AggregateIndex) | {406: {}},
)
async def list_aggregates(request: Request, available: CurrentlyAvailable) -> Response:
    """List the available tables, keys, figures and periods, and the privacy guarantee."""
    return send(request, service.index(available), available.texts.language)


@router.get(
    "/aggregates/tables/{table}",
    response_model=None,
    responses=forms(AggregateTable, FHIR_REPORT, FHIR_REPORT_EXAMPLE),
)
async def get_aggregate_table(
    request: Request,
    form: WantedForm,
    db: ReadDb,
    available: CurrentlyAvailable,
    table: TableInPath,
    period_kind: Kind = None,
    starts_on: StartsOn = None,
) -> Response:
    """Get every figure of a table for one period.

    `Accept: text/csv` returns CSV, `application/fhir+json` a MeasureReport (R4B; with
    `fhirVersion=5.0` R5).
    """
    found = await service.read_table(db, available, table, period_kind, starts_on)
    return send(request, found, available.texts.language, form)


@router.get(
    "/aggregates/series",
    response_model=None,
    responses=forms(AggregateSeries, FHIR_BUNDLE, FHIR_BUNDLE_EXAMPLE),
)
async def get_aggregate_series(
    request: Request,
    form: WantedForm,
    db: ReadDb,
    available: CurrentlyAvailable,
    table: Table,
    key: CellKey,
    stat: Stat,
    period_kind: Kind = None,
    first: From = None,
    last: To = None,
) -> Response:
    """Get one figure of one key over consecutive periods.

    `Accept: text/csv` returns CSV, `application/fhir+json` a Bundle of MeasureReports.
    """
    found = await service.read_series(
        db,
        available,
        table=table,
        key=key,
        stat=stat,
        period_kind=period_kind,
        first=first,
        last=last,
    )
    return send(request, found, available.texts.language, form)
