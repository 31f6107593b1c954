"""HTTP server of the service: FastAPI handles the routes, uvicorn the connections."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse

from simdistill.errors import InputError
from simdistill.report.templates import templates
from simdistill.serving.requests import FEWEST_FUTURES, Limits, Refused
from simdistill.serving.service import Service

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
CONNECTIONS = 1000


def application(service: Service) -> FastAPI:
    """Returns the FastAPI application of a service; the service is closed when the application ends."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    shown = templates(Path(__file__).parent).get_template("page.html").render()
    # FastAPI's documentation pages are disabled, as they load scripts from other hosts.
    app = FastAPI(title=f"simdistill: {service.task.name}", docs_url=None, redoc_url=None, lifespan=lifespan)

    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> JSONResponse:
        headers = {"Retry-After": "1"} if error.status == 503 else None
        return JSONResponse({"detail": error.detail}, error.status, headers)

    @app.get("/", response_class=HTMLResponse)
    async def page() -> HTMLResponse:
        return HTMLResponse(shown, headers=HEADERS)

    @app.get("/health")
    async def health() -> JSONResponse:
        return JSONResponse(service.health(), 200 if service.batches.alive else 503)

    @app.get("/schema")
    async def schema() -> JSONResponse:
        return JSONResponse(service.taught.schema(service.task), media_type="application/schema+json")

    def posted(path: str, answer: Callable[[Any], Awaitable[Any]]) -> None:
        one = {
            "type": "object",
            "required": ["state"],
            "properties": {
                "state": service.taught.states.schema,
                "choices": {"type": "array", "items": {"enum": service.taught.labels}},
                "what_if": {"type": "integer", "minimum": FEWEST_FUTURES, "maximum": service.limits.futures},
            },
        }
        content = {"application/json": {"schema": {"anyOf": [one, {"type": "array", "items": one}]}}}

        @app.post(path, name=path, openapi_extra={"requestBody": {"required": True, "content": content}})
        async def reply(request: Request) -> JSONResponse:
            return JSONResponse(await answer(await _json(request, service.limits)))

    posted("/decide", service.decide)
    posted("/forecast", service.forecast)
    return app


def serve(
    run: Path, host: str, port: int, listening: Callable[[str], None], limits: Limits | None = None
) -> None:
    """Serves a finished run until it is interrupted.

    Args:
        run: Folder of the run.
        host: Host name or address to listen at.
        port: Port to listen at; 0 for any free port.
        listening: Function that is called with the service's URL once it listens.
        limits: Limits of the requests; None for the defaults.

    Raises:
        InputError: If the run isn't finished, or the service can't listen at the address.
    """
    with _listening(host, port) as listener:
        app = application(Service(run, limits))
        server = uvicorn.Server(
            uvicorn.Config(
                app, log_level="warning", limit_concurrency=CONNECTIONS, timeout_graceful_shutdown=5
            )
        )
        address = f"[{host}]" if ":" in host else host
        listening(f"http://{address}:{listener.getsockname()[1]}")
        server.run([listener])


def _listening(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
        family, kind, protocol, _, place = found[0]
        # asyncio sets TCP_NODELAY only if the protocol is given; without it some answers take 40 ms longer.
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(CONNECTIONS)
        return listener
    except (OSError, OverflowError) as error:
        raise InputError(
            f"can't listen at {host}, port {port}: {error}; choose others with --host and --port"
        ) from None


async def _json(request: Request, limits: Limits) -> Any:
    """Reads and parses a request's body within the limits.

    Raises:
        Refused: If the body is too large, arrives too slowly, or isn't JSON.
    """
    too_large = Refused(413, f"the body is larger than {limits.body} bytes; send fewer states at a time")
    if int(request.headers.get("content-length", 0)) > limits.body:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(limits.seconds):
            async for part in request.stream():
                body += part
                if len(body) > limits.body:
                    raise too_large
    except TimeoutError:
        raise Refused(408, f"the body didn't arrive within {limits.seconds:g} seconds") from None
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:  # not JSON, not UTF-8, too many digits, too many brackets
        raise Refused(400, f"the body isn't JSON: {error}") from None
