"""Large answers, gzipped for who asks for it: a fleet's list goes over the network every few seconds."""

from __future__ import annotations

import asyncio
import zlib

from aiohttp import web

LARGE = 32 * 1024
"""Bytes; below, packing gains less than it costs."""
_LEVEL = 1
"""Half the time of the usual 6, and within a fifth of its size on JSON."""
_PACKABLE = ("application/json", "text/")


async def packed(request: web.BaseRequest, response: web.StreamResponse) -> web.StreamResponse:
    """The answer itself, its body gzipped in a thread where that is worth it and wanted."""
    if not isinstance(response, web.Response) or not isinstance(response.body, bytes) or len(response.body) < LARGE:
        return response
    if "Content-Encoding" in response.headers or not response.content_type.startswith(_PACKABLE):
        return response
    response.headers.add("Vary", "Accept-Encoding")
    if response.status == 200 and accepts_gzip(request.headers.get("Accept-Encoding", "")):
        response.body = await asyncio.to_thread(_gzip, response.body)
        response.headers["Content-Encoding"] = "gzip"
    return response


def accepts_gzip(header: str) -> bool:
    """Whether a client names gzip, and not with the weight 0 (RFC 9110 §12.5.3)."""
    for choice in header.lower().split(","):
        name, _, weight = choice.partition(";")
        if name.strip() == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _gzip(body: bytes) -> bytes:
    """zlib lets go of the interpreter while it works."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()
