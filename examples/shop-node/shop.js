// The shop as buyers see it: the page, the cart, the payment, the order.

import { randomBytes } from "node:crypto";

import cookies from "@fastify/cookie";
import fastify from "fastify";

import { admin } from "./admin.js";
import { IS_TLS, shared, SHOP_URL } from "./books.js";
import { cart } from "./cart.js";
import { payment } from "./payment.js";
import * as provider from "./provider.js";
import { live } from "./stock.js";
import { refuse, userOf } from "./web.js";

if (!provider.SECRET) throw new Error("shop: set SHOP_PSP_SECRET");
// X-Forwarded-For is believed of a proxy on this machine; name others here.
const app = fastify({ logger: { level: "error" }, trustProxy: "127.0.0.1" });
await app.register(cookies);
app.setErrorHandler(refuse);

const PAGE = shared("shop.html");
app.get("/", async (request, reply) => {
  // Lax: the buyer comes back from the provider's site.
  const cookie = { path: "/", maxAge: 30 * 86_400, httpOnly: true, sameSite: /** @type {const} */ ("lax"), secure: IS_TLS };
  if (!userOf(request)) reply.setCookie("user", randomBytes(16).toString("base64url"), cookie);
  return reply.header("Cache-Control", "no-store").type("text/html").send(PAGE);
});

await app.register(cart);
await app.register(payment);
await app.register(live);
await app.register(admin, { prefix: "/admin" });
await app.listen({ host: "127.0.0.1", port: Number(SHOP_URL.port || 8000) });
