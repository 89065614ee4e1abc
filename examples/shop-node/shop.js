// The shop as buyers see it: the page, the cart, the payment, the order.

import cookies from "@fastify/cookie";
import fastify from "fastify";

import { admin } from "./admin.js";
import { checkParts, shared, SHOP_URL } from "./books.js";
import { cart } from "./cart.js";
import { payment } from "./payment.js";
import * as provider from "./provider.js";
import { seats } from "./seats.js";
import { live } from "./stock.js";
import { page, refuse } from "./web.js";

if (!provider.SECRET) throw new Error("shop: set SHOP_PSP_SECRET");
await checkParts();
// X-Forwarded-For is believed of a proxy on this machine; name others here.
// A body is what it says: no "1" for 1, and no list for what is none.
const ajv = { customOptions: { coerceTypes: false } };
const app = fastify({ logger: { level: "error" }, trustProxy: "127.0.0.1", ajv });
await app.register(cookies);
app.setErrorHandler(refuse);

app.get("/", page("shop.html"));
for (const [name, type] of [["page.css", "text/css"], ["cart-page.js", "text/javascript"], ["seats-map.js", "text/javascript"], ["seats-page.js", "text/javascript"]]) {
  const text = shared(name);
  app.get(`/${name}`, (_, reply) => reply.header("Cache-Control", "max-age=60").type(type).send(text));
}

await app.register(cart);
await app.register(payment);
await app.register(live);
await app.register(seats);
await app.register(admin, { prefix: "/admin" });
await app.listen({ host: "127.0.0.1", port: Number(SHOP_URL.port || 8000) });
