"""A page with its assets, served from the package: hospital networks may block CDNs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import FastAPI, Request, Response

from api.core.errors import NotFound
from api.http.conditional import Body, make_body, respond

INDEX = "index.html"


@dataclass(frozen=True)
class BundledPage:
    """A folder of files that are served by name; all names are known in advance."""

    folder: Path
    media_types: Mapping[str, str]
    # The Content-Security-Policy of the page.
    policy: str
    max_age: int
    _bodies: dict[str, Body] = field(default_factory=dict)

    def _body(self, name: str) -> Body:
        """Return a file; it is read and compressed on first use."""
        if name not in self.media_types:
            message = "Unknown file."
            raise NotFound(message)
        if name not in self._bodies:
            data = (self.folder / name).read_bytes()
            self._bodies[name] = make_body(data, media_type=self.media_types[name], quick=True)
        return self._bodies[name]

    def install(self, app: FastAPI, path: str) -> None:
        """Serve the page at a path, and its assets below it."""

        @app.get(path, include_in_schema=False)
        async def show_page(request: Request) -> Response:
            response = respond(request, self._body(INDEX), max_age=self.max_age)
            response.headers["Content-Security-Policy"] = self.policy
            return response

        @app.get(f"{path}/{{name}}", include_in_schema=False)
        async def get_page_asset(request: Request, name: str) -> Response:
            return respond(request, self._body(name), max_age=self.max_age)
