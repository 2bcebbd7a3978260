"""The addresses of works and what they answer.

Knows requests and answers; what a wish may hold is the business of wishes.py. Every change of a work is posted on its
board, where pages learn of it; answers to those who made it say little.
"""

from __future__ import annotations

import base64
from functools import partial
from typing import Annotated, Any, Literal
from urllib.parse import quote, unquote

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import Response, StreamingResponse

from layervec.errors import InputError
from layervec.studio import guard, uploads, wishes
from layervec.studio.desks import BusyError, Desk, Studio
from layervec.studio.home import remove
from layervec.studio.works import Work

PICTURES = {"image/png", "image/jpeg", "image/webp", "image/bmp", "image/tiff", "image/gif", "image/avif"}
SVG = "image/svg+xml"


async def _studio(request: Request) -> Studio:
    studio: Studio = request.app.state.studio
    return studio


async def _desk(request: Request, work: str) -> Desk:
    try:
        return (await _studio(request)).desk(work)
    except KeyError:
        raise HTTPException(404, "There is no such work.") from None


routes = APIRouter()
AStudio = Annotated[Studio, Depends(_studio)]
ADesk = Annotated[Desk, Depends(_desk)]


# Works


@routes.get("/works")
async def works(studio: AStudio) -> list[dict[str, Any]]:
    """Answer with all works, the newest first."""
    return [
        {
            "id": work.id,
            "name": work.record.name,
            "created": work.record.created,
            "revision": work.revision,
            "size": work.record.picture and [work.record.picture.width, work.record.picture.height],
        }
        for work in studio.store
    ]


@routes.post("/works", status_code=201)
async def upload(request: Request, studio: AStudio) -> dict[str, str]:
    """Make a work of a picture, or of an SVG of ours; the body is the file, the header X-Name what it is called."""
    name = unquote(request.headers.get("x-name", ""), errors="replace")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in PICTURES | {SVG}:
        raise HTTPException(415, "That is neither a picture of a known kind nor an SVG.")
    most = uploads.MOST_SVG if kind == SVG else guard.MOST_UPLOAD
    file = await uploads.received(request, studio.store.hidden, most)
    return {"id": (await uploads.make(studio, uploads.Upload(name, file, kind == SVG))).id}


@routes.get("/works/{work}/events")
async def events(studio: AStudio, desk: ADesk) -> Response:
    """Answer with a stream of news for as long as the page listens."""
    if desk.board.crowded:
        raise HTTPException(429, "Too many pages look at this work.")
    studio.look(desk)
    return StreamingResponse(desk.board.follow(), media_type="text/event-stream")


@routes.delete("/works/{work}", status_code=204)
async def delete(studio: AStudio, desk: ADesk) -> None:
    """Delete a work."""
    studio.forget(desk)


@routes.post("/works/{work}/picture", status_code=204)
async def attach(request: Request, studio: AStudio, desk: ADesk) -> None:
    """Give a reopened drawing the picture that it was made of."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in PICTURES:
        raise HTTPException(415, "That is no picture of a known kind.")
    file = await uploads.received(request, studio.store.hidden)  # before the lock: it may come slowly
    try:
        async with desk.lock:
            await uploads.attach(studio, desk, file)
    finally:
        remove(file)
    desk.post()


@routes.get("/works/{work}/picture")
async def picture(studio: AStudio, desk: ADesk) -> Response:
    """Answer with the picture, decoded and encoded anew, as large as a page needs it.

    Only once it has been drawn: decoding it as well would delay its first drawing.
    """
    if desk.work.picture is None or not desk.work.revision:
        raise HTTPException(404, "This work has no picture, or none that was drawn.")
    async with desk.lock:
        data, kind = await uploads.shown(studio, desk.work)
    return Response(data, media_type=kind)


@routes.get("/works/{work}/thumbnail")
async def small(studio: AStudio, desk: ADesk) -> Response:
    """Answer with a small picture of the drawing."""
    return Response(await _exported(studio, desk.work, "thumbnail"), media_type="image/png")


# Drawing and editing


@routes.post("/works/{work}/draw", status_code=202)
async def draw(wish: wishes.Draw, studio: AStudio, desk: ADesk) -> None:
    """Draw the picture anew."""
    if desk.work.picture is None:
        raise InputError("This drawing has no picture to draw; add it first.")
    settings = wish.settings(studio.base, studio.offered)
    async with desk.lock:
        _check(desk, desk.work.revision)
        desk.work.choose(wish.model_dump())
        await studio.start(
            desk, {"do": "draw", "settings": settings.model_dump(mode="json", exclude_unset=True)}, "draw"
        )


@routes.post("/works/{work}/cancel", status_code=202)
async def cancel(studio: AStudio, desk: ADesk) -> None:
    """End what is done for a work; nothing to do is no error, for it may just have ended."""
    if desk.job is not None:
        studio.jobs.cancel(desk.job)


@routes.post("/works/{work}/refit", status_code=202)
async def refit(wish: wishes.Refit, studio: AStudio, desk: ADesk) -> None:
    """Fit some layers anew."""
    async with desk.lock:
        _check(desk, wish.base, needs_picture=True)
        picture = str(await uploads.to_fit(studio, desk.work))
        message = {"do": "refit", "picture": picture, "svg": desk.work.text(), "ids": wish.ids, "paths": wish.paths}
        await studio.start(desk, message, "refit")


@routes.post("/works/{work}/detail", status_code=202)
async def detail(
    request: Request,
    studio: AStudio,
    desk: ADesk,
    base: Annotated[int, Query(ge=0)],
    paths: Annotated[int, Query(ge=1, le=4096)],
) -> None:
    """Add detail where a mask says so; the body is a PNG, white where it is missing."""
    if request.headers.get("content-type") != "image/png":
        raise HTTPException(415, "The mask should be a PNG.")
    mask = await uploads.received(request, studio.store.hidden, guard.MOST_JSON)  # before the lock: it may come slowly
    used_up = partial(remove, mask)
    try:
        async with desk.lock:
            _check(desk, base, needs_picture=True)
            await studio.errand({"do": "facts", "file": str(mask), "name": "The mask"})
            picture = str(await uploads.to_fit(studio, desk.work))
            message = {"do": "detail", "picture": picture, "svg": desk.work.text(), "mask": str(mask), "paths": paths}
            await studio.start(desk, message, "detail", used_up)
    except BaseException:
        used_up()
        raise


@routes.post("/works/{work}/edit", status_code=204)
async def edit(wish: wishes.Edit, studio: AStudio, desk: ADesk) -> None:
    """Change the drawing by hand."""
    async with desk.lock:
        _check(desk, wish.base)
        made = await studio.errand({"do": "edit", "svg": desk.work.text(), "wish": wish.model_dump()})
        desk.keep(made, wish.do)
        desk.message = ""
        desk.post_drawing()
        desk.post()


@routes.post("/works/{work}/{step}", status_code=204)
async def step(step: Literal["undo", "redo"], studio: AStudio, desk: ADesk) -> None:
    """Go a drawing back or forward."""
    async with desk.lock:
        _check(desk, desk.work.revision)
        desk.work.undo() if step == "undo" else desk.work.redo()
        desk.message = ""
        try:
            await studio.read(desk)
        finally:  # also where it cannot be read: then another step leads to one that can
            desk.post()


def _check(desk: Desk, base: int, *, needs_picture: bool = False) -> None:
    """Refuse a change of a drawing that is not the present one, or that cannot be made now."""
    if desk.job is not None:
        raise BusyError("This work is being drawn; wait for it or cancel it first.")
    if base != desk.work.revision:
        raise BusyError("The drawing has changed meanwhile; look at it again.")
    if needs_picture and desk.work.picture is None:
        raise InputError("This needs the picture that the drawing was made of; add it first.")


# Files


@routes.get("/works/{work}/drawing.{kind}")
async def save(kind: Literal["svg", "png", "pdf"], studio: AStudio, desk: ADesk) -> Response:
    """Answer with the drawing as a file to keep."""
    media = {"svg": SVG, "png": "image/png", "pdf": "application/pdf"}[kind]
    data = desk.work.text().encode() if kind == "svg" else await _exported(studio, desk.work, kind)
    name = quote(f"{desk.work.record.name}.{kind}", safe="")
    return Response(data, media_type=media, headers={"Content-Disposition": f"attachment; filename*=UTF-8''{name}"})


async def _exported(studio: Studio, work: Work, kind: str) -> bytes:
    message = {"do": "export", "svg": work.text(), "kind": kind}
    return base64.b64decode((await studio.errand(message, large=kind != "thumbnail"))["data"])
