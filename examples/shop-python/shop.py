"""The shop as buyers see it: the page, the cart, the payment, the order."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

import redis
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

import admin
import provider
from books import HERE, IS_TLS, SHOP_URL
from cart import cart
from payment import back, order, pay, webhook
from stock import events
from web import SmallBodies, no_answer, refuse, user_of


async def page(request: Request) -> Response:
    reply = FileResponse(HERE / "shop.html", headers={"Cache-Control": "no-store"})
    if not user_of(request):
        # Lax: the buyer comes back from the provider's site.
        reply.set_cookie("user", secrets.token_urlsafe(16), 30 * 86400, httponly=True, samesite="lax", secure=IS_TLS)
    return reply


routes = [
    Route("/", page),
    Route("/cart", cart, methods=["POST", "PUT", "DELETE"]),
    Route("/pay", pay, methods=["POST"]),
    Route("/webhook", webhook, methods=["POST"]),
    Route("/return/{intent}", back),
    Route("/order/{id}", order),
    Route("/events", events),
    *admin.routes,
]
errors = {redis.RedisError: no_answer, OSError: no_answer, HTTPException: refuse}
app = Starlette(routes=routes, exception_handlers=errors, middleware=[Middleware(SmallBodies)])

if __name__ == "__main__":
    if not provider.SECRET:
        raise SystemExit("shop: set SHOP_PSP_SECRET")
    port = urlsplit(SHOP_URL).port or 8000
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=1)
