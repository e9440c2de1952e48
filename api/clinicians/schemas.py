"""Wire shapes of clinicians."""

from typing import Annotated

from pydantic import Field

from api.clinicians.identity import Kind
from api.http.fields import Instant, ResponseModel


class ClinicianProfile(ResponseModel):
    """The authenticated clinician, by key or access token."""

    kind: Annotated[
        Kind,
        Field(description="How they proved it. Read an unknown value as `access_token`."),
    ]
    name: Annotated[
        str | None,
        Field(
            max_length=200,
            description="The key's name, or the name that the issuer gives; null if none.",
            examples=["Ward 3"],
        ),
    ]
    scopes: Annotated[
        list[Annotated[str, Field(max_length=64, examples=["aggregates:read"])]],
        Field(max_length=10, description="What they may do here. Ignore what you don't know."),
    ]
    expires_at: Annotated[Instant, Field(description="When the key or the access token ends.")]
    issuer: Annotated[
        str | None,
        Field(max_length=2000, description="Who issued the access token; null for a key."),
    ]
