// Units with names: seats, which a buyer chooses, and keys, which nobody sees before they paid.

import { alarm, change, row, rows } from "./books.js";

/** @import { Line } from "./books.js" */

/** What has names: `seat` or `key`, by SKU. @returns {Map<string, string>} */
export const kinds = () => new Map(rows("SELECT sku, kind FROM named").map(({ sku, kind }) => [sku, kind]));

/**
 * The same units once more: seats by their names, all else by number. A key is never asked for.
 *
 * @param {string} items @returns {[Record<string, number> | null, string[] | undefined]}
 */
export function askedAgain(items) {
  const kind = kinds();
  const lines = /** @type {Line[]} */ (JSON.parse(items));
  const numbers = lines.filter(({ sku }) => kind.get(sku) !== "seat").map(({ sku, qty }) => [sku, qty]);
  const seats = lines.flatMap(({ sku, units }) => (kind.get(sku) === "seat" ? (units ?? []) : []));
  return [numbers.length ? Object.fromEntries(numbers) : null, seats.length ? seats : undefined];
}

/** Gives the keys of an order to its buyer. In the transaction of the capture: both, or none. @param {string} id */
export function handOver(id) {
  const kind = kinds();
  const order = row("SELECT items FROM orders WHERE id = ?", id);
  for (const { sku, units = [] } of /** @type {Line[]} */ (order ? JSON.parse(order.items) : [])) {
    for (const unit of kind.get(sku) === "key" ? units : []) {
      const isNew = change("INSERT INTO keys VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", sku, unit, id, Date.now()) === 1;
      if (!isNew) alarm("key twice", id, `a key of ${sku} is another order's: give this one a new one`);
    }
  }
}
