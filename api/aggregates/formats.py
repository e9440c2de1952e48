"""Writes figures as JSON, CSV or FHIR. Pure.

Whether a figure has a number was decided before. Nothing is decided here, so that what is
suppressed in one format is suppressed in all.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from api.aggregates import fhir
from api.aggregates.fhir import LabelledFigure, Version
from api.aggregates.schemas import (
    AggregateFigure,
    AggregatePeriod,
    AggregateSeries,
    AggregateTable,
)
from api.aggregates.texts import promised_percent

JSON = "application/json"
CSV = "text/csv"
# A spreadsheet would run a text that begins like this as a formula.
RUNNING = ("=", "+", "-", "@", "\t", "\r")
# Without it, spreadsheets assume another character set.
BYTE_ORDER_MARK = "\ufeff"
FIGURE = tuple(AggregateFigure.model_fields)
COLUMNS = (
    *("table", "period_kind", "starts_on", "ends_on", "publication_id"),
    *("key", "title", "stat", "unit", *FIGURE, "rho", "epsilon", "delta"),
)

AggregateResponse = AggregateTable | AggregateSeries


@dataclass(frozen=True)
class Form:
    """A response format."""

    media_type: str
    fhir_version: Version = "4.3"


@dataclass(frozen=True)
class Written:
    """A response: its bytes, media type and file name."""

    data: bytes
    media_type: str
    file_name: str


def labelled_figures(response: AggregateResponse) -> Iterator[LabelledFigure]:
    """Return every figure of a response with its labels."""
    if isinstance(response, AggregateTable):
        for cell in response.cells:
            about = (cell.key, cell.title, cell.stat, cell.unit)
            yield LabelledFigure(response.period, response.privacy, *about, cell)
        return
    for point in response.points:
        period = AggregatePeriod(
            period_kind=response.period_kind,
            starts_on=point.starts_on,
            ends_on=point.ends_on,
            status=point.period_status,
            publication_id=point.publication_id,
            closed_at=point.closed_at,
        )
        # Policies change: each publication has the values of its own.
        own = {name: getattr(point, name) for name in ("rho", "epsilon", "plan_hash")}
        own |= {"best_guess_percent": promised_percent(point.rho)}
        about = (response.key, response.key_title, response.stat, response.unit)
        yield LabelledFigure(period, response.privacy.model_copy(update=own), *about, point)


def write(response: AggregateResponse, form: Form, language: str) -> Written:
    """Write a response."""
    if isinstance(response, AggregateTable):
        name = f"footing-{response.table}-{response.period.period_kind}-{response.period.starts_on}"
    else:
        name = f"footing-{response.table}-{response.period_kind}-{response.stat}"
    if form.media_type == CSV:
        return Written(csv_bytes(response), f"{CSV}; charset=utf-8", f"{name}.csv")
    if form.media_type == fhir.MEDIA_TYPE:
        reports = fhir.reports(
            response.table, response.title, labelled_figures(response), form.fhir_version, language
        )
        one = isinstance(response, AggregateTable)
        data = fhir.document(reports, form.fhir_version, one=one)
        media_type = f"{fhir.MEDIA_TYPE}; fhirVersion={form.fhir_version}"
        return Written(data, media_type, f"{name}.fhir.json")
    return Written(response.model_dump_json().encode(), JSON, f"{name}.json")


def _plain(text: object) -> str:
    """Write a text so that no spreadsheet runs it as a formula."""
    written = str(text)
    return f"'{written}" if written.startswith(RUNNING) else written


def csv_bytes(response: AggregateResponse) -> bytes:
    """Write the figures as CSV (RFC 4180): no number where there is none, and always a status."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for labelled in labelled_figures(response):
        figure = labelled.figure.model_dump(include=set(FIGURE), mode="json")
        period = labelled.period
        about = (
            response.table,
            period.period_kind,
            period.starts_on,
            period.ends_on,
            period.publication_id or "",
            labelled.key,
            labelled.title,
            labelled.stat,
            labelled.unit,
        )
        # Numbers come from the server, and may begin with a minus sign.
        writer.writerow(
            [
                *map(_plain, about),
                *(figure[name] for name in FIGURE),
                *(labelled.privacy.rho, labelled.privacy.epsilon, labelled.privacy.delta),
            ]
        )
    return (BYTE_ORDER_MARK + text.getvalue()).encode()
