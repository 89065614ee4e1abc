// What the pages of the shop have in common: a cart from the first click to the order.
//
// A page has `chosen()`: what goes into a new cart, `{ items }` or `{ units }`. It may have `changed()`,
// which is told of the cart, and `itemsOf()` units, where a cart has those alone.
"use strict";
const $ = id => document.getElementById(id);
const wait = ms => new Promise(done => setTimeout(done, ms));
// One id a click on "buy", kept before the first request and until the verdict: a reload,
// a retry and a double click ask for the same cart.
const newId = () => [...crypto.getRandomValues(new Uint8Array(16))].map(byte => byte.toString(16).padStart(2, "0")).join("");
const load = () => JSON.parse(sessionStorage.getItem("cart") || "null");
const keep = cart => { cart ? sessionStorage.setItem("cart", JSON.stringify(cart)) : sessionStorage.removeItem("cart"); show(); };
let ahead = 0, sale = null, asking = 0;

const clock = at => { if (at) ahead = at - Date.now(); };
const money = cents => new Intl.NumberFormat("en", { style: "currency", currency: sale?.currency || "EUR" }).format(cents / 100);
// What is said again is not said twice to those who hear it.
const say = (text, kind = "") => { if ($("says").textContent !== text) $("says").textContent = text; $("says").className = kind; };
const plural = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;
const unitsOf = items => Object.fromEntries(Array.isArray(items) ? items : Object.entries(items));

// The same request again until there is an answer: nobody knows what became of the last one.
async function ask(method, url, body) {
  for (let tries = 0; ; tries++) {
    let again = 1000;
    try {
      const reply = await fetch(url, { method, headers: { "Content-Type": "application/json" }, body: body && JSON.stringify(body) });
      if (reply.status < 500) {
        // An error page, as a proxy has them, is an answer, too. "Too many" is none yet.
        const told = await reply.json().catch(error => {
          if (reply.ok || reply.status === 429 || !(error instanceof SyntaxError)) throw error;
          return { status: "ERROR", says: "Please reload the page." };
        });
        const answer = { ...told, http: reply.status, retry: +reply.headers.get("Retry-After") };
        clock(answer.now_ms);
        return answer;
      }
      again = 1000 * (+reply.headers.get("Retry-After") || 1);
    } catch { /* no connection */ }
    say("No answer yet. Asking again for you.");
    await wait(again * (1 + Math.random() / 2));
  }
}

// Until it is ours, or not to be had. "Not now" is asked again, a "no" is not.
async function reserve() {
  const cart = load(), turn = ++asking, target = cart.next || cart;
  busy(true);
  for (;;) {
    const { id, items, units } = target;
    const answer = await ask(cart.next ? "PUT" : "POST", "/cart", { id, items, units, old: cart.next ? cart.id : undefined });
    if (turn !== asking) return;
    if (answer.status === "RESERVED") {
      keep({ id, items, units: answer.units?.length ? answer.units : units, until: answer.expires_at_ms });
      say("It is yours. Pay before the clock runs out.", "yes");
      busy(false);
      return $("pay").focus();
    } else if (answer.status === "WAITING") {
      // The same request again keeps the place: when the sale says, and not sooner.
      place(answer);
      await wait(answer.retry_in_ms);
      if (turn === asking) continue;
      return;
    } else if (answer.retry && answer.status !== "NOTFREE") {
      say(answer.says);
      $("stop").hidden = false;
      await wait(Math.min(answer.retry_in_ms ?? 2000, 2000) * (1 + Math.random() / 2));
      if (turn === asking) continue;
    } else {
      const isOver = ["EXPIRED", "RELEASED", "REFUNDED", "NORESERVATION"].includes(answer.status);
      keep(cart.next && !isOver ? { ...cart, next: undefined } : answer.status === "SOLD" ? { ...cart, next: undefined } : null);
      say(answer.status === "USERLIMIT" && !answer.open?.length ? "You have bought all you may have." : answer.says, "no");
      const open = answer.other_id ?? answer.open?.[0];
      if (open && !load()) { $("goon").hidden = false; $("goon").onclick = () => take(open); }
      if (answer.status === "SOLD") watch();
    }
    return busy(false);
  }
}

// Seen and not heard: it changes with each answer.
function place({ ahead, left, eta_ms }) {
  const parts = [ahead < 0 ? "The order is drawn at the start: it does not matter who joined first." : ahead ? `At most ${ahead} before you.` : "You are next."];
  if (ahead > 0) parts.push(`${plural(left, "pair")} can still come free.`);
  if (ahead >= 0 && eta_ms > 0) parts.push(`It takes about ${plural(Math.ceil(eta_ms / 60000), "minute")} if it goes on as it does now.`);
  say("You are in line. Keep this page open.");
  $("place").textContent = parts.join(" ");
  $("place").hidden = $("stop").hidden = false;
  $("stop").textContent = "Leave the line";
}

async function take(id) { $("goon").hidden = true; keep({ id, items: {} }); await watch(); }

// What became of the cart: after a reload, and while a payment is on its way.
async function watch() {
  for (;;) {
    const cart = load();
    if (!cart) return;
    const order = await ask("GET", "/order/" + cart.id);
    if (load()?.id !== cart.id) return;
    if (order.http === 404 && !cart.until) return keep(cart), reserve();
    if (order.items) cart.items = unitsOf(order.items);
    if (order.units?.length) cart.units = order.units.map(([, unit]) => unit);
    cart.keys = order.keys;
    if (order.status === "waiting") return keep(cart), reserve();
    if (["reserved", "open"].includes(order.status)) {
      keep({ ...cart, until: order.expires_at_ms, state: order.status });
      if (order.expires_at_ms > Date.now() + ahead) return;
      say("Your time is up. If you have paid, we are checking it.", "no");
    } else if (["authorised", "closing"].includes(order.status)) {
      keep({ ...cart, state: "checking" });
      say(order.says);
    } else {
      const isSold = ["sold", "captured"].includes(order.status);
      if (isSold && order.keys && !order.keys.length && !order.refunds?.length) {
        keep({ ...cart, state: "checking" });
        say("Bought. Your key comes with the payment.");
        await wait(1000 + Math.random() * 500);
        continue;
      }
      if (isSold) keep({ ...cart, state: "sold", order: order.order_id });
      else keep(null);
      say(order.refunds?.length && isSold ? "Bought, and given back." : isSold ? "Bought. Thank you!" : order.says || "Your time was up. Please try again.", isSold ? "yes" : "no");
      return;
    }
    await wait(1000 + Math.random() * 500);
  }
}

function busy(is) {
  for (const id of ["buy", "pay", "change", "cancel"]) $(id).disabled = is;
  if (!is) { $("stop").hidden = $("place").hidden = true; $("stop").textContent = "Stop asking"; }
}

function show() {
  const cart = load();
  $("cart").hidden = !cart || !(cart.until || cart.state);
  $("buy").hidden = !!cart && cart.state !== "sold";
  globalThis.changed?.(cart);
  if (!cart) return;
  const price = Object.fromEntries((sale?.items || []).map(item => [item.sku, item])), items = cart.items || globalThis.itemsOf?.(cart.units || []) || {};
  const lines = Object.entries(items).map(([sku, qty]) => `${qty} × ${price[sku]?.title || sku}`);
  const cents = Object.entries(items).reduce((sum, [sku, qty]) => sum + qty * (price[sku]?.cents || 0), 0);
  const names = cart.units?.length ? ` (${cart.units.join(", ")})` : "";
  $("what").textContent = lines.join(", ") + names + (cents ? `, ${money(cents)} together` : "") + (cart.order ? `. Order ${cart.order}` : "");
  if ($("keys").textContent !== (cart.keys || []).join("\n")) $("keys").textContent = (cart.keys || []).join("\n");
  $("keys").hidden = !cart.keys?.length;
  $("title").textContent = { sold: "Yours", checking: "We are checking your payment" }[cart.state] || "In your cart";
  const left = Math.max(0, (cart.until || 0) - Date.now() - ahead);
  $("left").hidden = $("actions").hidden = cart.state === "sold" || cart.state === "checking";
  $("left").textContent = `${Math.floor(left / 60000)}:${String(Math.floor(left / 1000) % 60).padStart(2, "0")}`;
}

$("form").onsubmit = event => {
  event.preventDefault();
  if (load() && load().state !== "sold") return;
  $("goon").hidden = true;
  keep({ id: newId(), ...chosen() });
  reserve();
};
$("change").onclick = () => { keep({ ...load(), next: { id: newId(), ...chosen() } }); reserve(); };
// The last request may be on its way, or done and not heard of: DELETE ends its id in both cases.
$("stop").onclick = async () => {
  const cart = load();
  asking++;
  busy(true);
  $("stop").hidden = $("place").hidden = true;
  await ask("DELETE", "/cart", { id: (cart.next || cart).id });
  keep(cart.next ? { ...cart, next: undefined } : null);
  busy(false);
  say("Stopped.");
  watch(); // A change that was done has ended the old cart.
};
$("cancel").onclick = async () => {
  busy(true);
  const answer = await ask("DELETE", "/cart", { id: load().id });
  if (answer.status === "RELEASED") { keep(null); say("Cancelled. Nothing was charged."); }
  else { say(answer.says, "no"); watch(); }
  busy(false);
};
$("pay").onclick = async () => {
  busy(true);
  const answer = await ask("POST", "/pay", { id: load().id });
  if (answer.pay_url) location.href = answer.pay_url;
  else { say(answer.says, "no"); busy(false); watch(); }
};

const STATES = { open: "The sale is on", paused: "The sale is paused", scheduled: "The sale has not begun", ended: "The sale is over", closed: "The sale is over" };
function listen(told) {
  new EventSource("/events").onmessage = event => {
    sale = JSON.parse(event.data);
    clock(sale.now_ms);
    $("state").textContent = STATES[sale.state] || "One moment";
    told?.(sale);
    show();
  };
  setInterval(() => {
    const cart = load();
    show();
    if (cart?.until && !["sold", "checking", "late"].includes(cart.state) && cart.until < Date.now() + ahead) { keep({ ...cart, state: "late" }); watch(); }
  }, 250);
  if (load()) load().next ? reserve() : watch();
  show();
}
