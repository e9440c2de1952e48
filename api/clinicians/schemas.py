"""Wire shapes of clinicians."""

from typing import Annotated

from pydantic import Field

from api.clinicians.identity import Kind
from api.http.fields import Instant, ResponseModel


class ClinicianProfile(ResponseModel):
    """The authenticated clinician, by key or access token."""

    kind: Annotated[
        Kind,
        Field(description="The kind of credentials. Treat an unknown value as `access_token`."),
    ]
    name: Annotated[
        str | None,
        Field(
            max_length=200,
            description="The key's name, or the name from the access token; null if none.",
            examples=["Ward 3"],
        ),
    ]
    scopes: Annotated[
        list[Annotated[str, Field(max_length=64, examples=["aggregates:read"])]],
        Field(max_length=10, description="What the credentials permit. Ignore unknown values."),
    ]
    expires_at: Annotated[Instant, Field(description="When the key or the access token expires.")]
    issuer: Annotated[
        str | None,
        Field(max_length=2000, description="Who issued the access token; null for a key."),
    ]
