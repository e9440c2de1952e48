"""Ordinary requests of the busiest routes, which are answered without FastAPI.

Matching a route, solving dependencies and the layers around them take longer than an upload or a
decision. A request is ordinary if nothing in its form could be refused: it has no query, and a JSON
body that the route accepts. All others take the usual way, and are refused there.
"""

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.core.errors import Problem
from api.http.problems import BodyRefused, problem_response

# As much of an Accept-Language is read as a handler would take.
MAX_ACCEPT_LANGUAGE = 500


class OrdinaryRoute(APIRoute):
    """A route that answers ordinary requests itself."""

    @abstractmethod
    async def answer_ordinary(self, request: Request, sent: Any) -> Response | None:
        """Answer a request with this body; None, and nothing done, if it is not an ordinary one."""


class OrdinaryMiddleware:
    """The innermost layer of our own: what it does not answer is left to FastAPI."""

    def __init__(self, app: ASGIApp, routes: Iterable[OrdinaryRoute]) -> None:
        self.app = app
        self.routes = {
            (method, route.path): route for route in routes for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an ordinary request."""
        route = self._route_of(scope)
        if route is None:
            await self.app(scope, receive, send)
            return
        scope["route"] = route
        request = Request(scope, receive)
        try:
            response = await self._answer(route, request)
        except Problem as problem:
            response = problem_response(scope, problem)
        except BodyRefused as refused:
            response = problem_response(scope, refused.problem)
        except ClientDisconnect:
            await self.app(scope, receive, send)
            return
        if response is None:
            await self.app(scope, _again(await request.body(), receive), send)
        else:
            await response(scope, receive, send)

    def _route_of(self, scope: Scope) -> OrdinaryRoute | None:
        if scope["type"] != "http" or scope["query_string"] or scope.get("root_path"):
            return None
        route = self.routes.get((scope["method"], scope["path"]))
        if route is not None and len(accepted_languages(scope)) > MAX_ACCEPT_LANGUAGE:
            return None
        return route

    async def _answer(self, route: OrdinaryRoute, request: Request) -> Response | None:
        await request.body()
        try:
            sent = await request.json()
        except ValueError:
            return None
        return await route.answer_ordinary(request, sent)


def accepted_languages(scope: Scope) -> str:
    """Return the Accept-Language of a request, empty without one."""
    for name, value in scope["headers"]:
        if name == b"accept-language":
            text: str = value.decode("latin-1")
            return text
    return ""


def _again(body: bytes, receive: Receive) -> Receive:
    """Receive a body that was read before."""
    is_first = True

    async def receive_again() -> Message:
        nonlocal is_first
        if not is_first:
            return await receive()
        is_first = False
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again
