// The cart: reserve, change, cancel. The page makes the id, the shop signs the pass.

import { addJob, intentOf, passOf, sale, shoes } from "./books.js";
import { saleNowMs, stock, waitingMax } from "./stock.js";
import { ask, body, ID, NAMES, RELOAD, send, sourceOf, UNITS, userOf } from "./web.js";

/** @import { FastifyInstance } from "fastify" */
/** @typedef {{ id: string, items?: Record<string, number>, units?: string[], old?: string }} Cart */

/** @param {FastifyInstance} app */
export async function cart(app) {
  // POST reserves, PUT changes the cart in one step, DELETE cancels; `id` comes from the page.
  app.route({
    method: ["POST", "PUT", "DELETE"],
    url: "/cart",
    ...body({ id: ID, old: ID, items: UNITS, units: NAMES }),
    handler: async (request, reply) => {
      const user = userOf(request);
      const { id, items, units, old } = /** @type {Cart} */ (request.body);
      if (!user) return reply.code(400).send({ status: "ERROR", says: RELOAD });
      const { key } = shoes.of(user);
      if (request.method === "DELETE") {
        giveBackSoon(id, user);
        return send(reply, await ask(() => sale.release(key, id, { user })), user);
      }
      // By number, or seats by their names.
      if (!items === !units) return reply.code(400).send({ status: "ERROR", says: RELOAD });
      await stock();
      // A line is one item's, and a cart that changes has its units: both as without a line.
      const wait = Object.keys(items ?? {}).length === 1 && !old && waitingMax > 0;
      const door = { pass: passOf(id, user, saleNowMs()), source: sourceOf(request) };
      const answer = await ask(() => sale.reserve(key, user, items ?? null, { id, units, replace: old, wait, ...door }));
      if (old && answer.status === "RESERVED") giveBackSoon(old, user);
      return send(reply, answer, user);
    },
  });
}

/**
 * Has the payment of a cart given back that is cancelled or was changed, if there is one.
 *
 * @param {string} reservation @param {string} user
 */
function giveBackSoon(reservation, user) {
  const intent = intentOf("reservation", reservation);
  if (intent?.user === user) addJob("give-back", intent.id);
}
