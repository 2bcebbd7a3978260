"""The studio as an app: the page's own files, the addresses of works, and what is said where something goes wrong.

What may come in at all is guard.py's business, what happens to works that of addresses.py.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect

from layervec import viewer
from layervec.errors import InputError
from layervec.files import reason
from layervec.studio import addresses
from layervec.studio.desks import BusyError, Studio
from layervec.studio.guard import Guard
from layervec.studio.works import StorageError

PAGE = {
    *("studio.js", "ask.js", "start.js", "settings.js", "work.js"),
    *("selection.js", "inspector.js", "drag.js", "brush.js", "zoom.js"),
    "studio.css",
}
VIEWER = {"controls.js", "drawing.js", "tree.js", "viewer.css"}
TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}


def application(studio: Studio, token: str, hosts: list[str], opened: Callable[[str], str | None]) -> Guard:
    """Return a studio as an ASGI app. hosts: its own, each with its port. opened: see `Guard`."""

    @asynccontextmanager
    async def living(app: FastAPI) -> AsyncIterator[None]:
        async with studio.errands, studio.jobs:
            yield

    app = FastAPI(lifespan=living, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.studio = studio
    app.include_router(pages)
    app.include_router(addresses.routes)
    app.add_exception_handler(InputError, _refused)
    app.add_exception_handler(RequestValidationError, _misunderstood)
    app.add_exception_handler(StarletteHTTPException, _said)
    app.add_exception_handler(OSError, _unreadable)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _our_fault)
    return Guard(app, token, hosts, opened)


async def _refused(request: Request, error: Exception) -> Response:
    status = 409 if isinstance(error, BusyError) else 507 if isinstance(error, StorageError) else 422
    return JSONResponse({"message": str(error)}, status)


async def _unreadable(request: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)
    return JSONResponse({"message": f"A file of this work cannot be read: {reason(error)}."}, 507)


async def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=400)  # which nobody hears


async def _misunderstood(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    return JSONResponse({"message": f"That was not understood: {where}: {first['msg']}."}, 422)


async def _said(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    return JSONResponse({"message": str(error.detail)}, error.status_code)


async def _our_fault(request: Request, error: Exception) -> Response:
    logging.getLogger(__name__).error("while answering %s", request.url.path, exc_info=error)
    return JSONResponse({"message": "Something went wrong that is not your fault."}, 500)


pages = APIRouter()


@pages.get("/")
async def page() -> Response:
    """Answer with the page."""
    return Response(_file("studio.html"), media_type="text/html; charset=utf-8")


@pages.get("/page/{name}")
async def page_file(name: str) -> Response:
    """Answer with one of the page's own files."""
    if name not in PAGE:
        raise HTTPException(404, "There is no such file.")
    return Response(_file(name), media_type=TYPES[Path(name).suffix])


@pages.get("/viewer/{name}")
async def viewer_file(name: str) -> Response:
    """Answer with one of the files that the page shares with reports."""
    if name not in VIEWER:
        raise HTTPException(404, "There is no such file.")
    return Response(viewer.source(name), media_type=TYPES[Path(name).suffix])


@pages.get("/favicon.ico")
async def icon() -> Response:
    """Answer browsers that ask whatever the page says."""
    return Response(status_code=204)


@pages.get("/about")
async def about(studio: addresses.AStudio) -> dict[str, Any]:
    """Answer with what a page must know before there is a work."""
    return {"version": version("layervec"), "offered": sorted(studio.offered)}


def _file(name: str) -> str:
    return files(__package__).joinpath("page", name).read_text(encoding="utf-8")
