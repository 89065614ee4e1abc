// The seat map: how a seat is chosen, and how the map stays up to date.
"use strict";
// --- choosing ---------------------------------------------------------------------------

const said = i => `${names[i]}, ${hall.zones[zoneOf[i]].title}, ${mine.has(i) ? "your choice" : ["free", "in a cart", "sold", "not on sale"][state[i]]}${state[i] === FREE ? ", " + money(hall.zones[zoneOf[i]].cents) : ""}`;
function toggle(i) {
  const most = sale?.userlimit || 10, isOurs = load()?.units?.includes(names[i]) && load().state !== "sold";
  if (mine.has(i)) mine.delete(i);
  else if (state[i] !== FREE && !isOurs) return say(`${names[i]} is ${["", "in a cart just now", "sold", "not on sale"][state[i]]}. Please choose another.`, "no");
  else if (mine.size >= most) return say(`${plural(most, "seat")} at most.`, "no");
  else mine.add(i);
  byNumber = null;
  say("");
  show(); redraw();
}

function nearest(px, py, of = i => state[i] !== WITHDRAWN) {
  let best = -1, least = Infinity;
  for (let i = 0; i < x.length; i++) {
    const far = (x[i] - px) ** 2 + (y[i] - py) ** 2;
    if (far < least && of(i)) { least = far; best = i; }
  }
  return [best, Math.sqrt(least)];
}

function zoom(by, px = canvas.clientWidth / 2, py = canvas.clientHeight / 2) {
  const k = Math.min(60, Math.max(fit * .8, view.k * by));
  view = { k, x: px - (px - view.x) * k / view.k, y: py - (py - view.y) * k / view.k };
  redraw();
}

function look(i) {
  here = i;
  $("under").textContent = i < 0 ? "" : said(i);
  const px = x[i] * view.k + view.x, py = y[i] * view.k + view.y, edge = 40;
  view.x -= Math.min(0, px - edge) + Math.max(0, px - canvas.clientWidth + edge);
  view.y -= Math.min(0, py - edge) + Math.max(0, py - canvas.clientHeight + edge);
  redraw();
}

const fingers = new Map();
let moved = 0;
canvas.onpointerdown = event => { canvas.setPointerCapture(event.pointerId); fingers.set(event.pointerId, event); if (fingers.size === 1) moved = 0; };
canvas.onpointermove = event => {
  const old = fingers.get(event.pointerId);
  if (!old) {
    const [i, far] = nearest((event.offsetX - view.x) / view.k, (event.offsetY - view.y) / view.k);
    $("under").textContent = i >= 0 && far < .8 && view.k > 8 ? said(i) : "";
    return;
  }
  const [one, two] = [...fingers.values()];
  moved += Math.hypot(event.offsetX - old.offsetX, event.offsetY - old.offsetY);
  if (two) {
    const other = old === one ? two : one, span = finger => Math.hypot(finger.offsetX - other.offsetX, finger.offsetY - other.offsetY);
    zoom(span(event) / (span(old) || 1), (event.offsetX + other.offsetX) / 2, (event.offsetY + other.offsetY) / 2);
  } else if (moved > 6) { view.x += event.offsetX - old.offsetX; view.y += event.offsetY - old.offsetY; redraw(); }
  fingers.set(event.pointerId, event);
};
canvas.onpointercancel = event => fingers.delete(event.pointerId);
canvas.onpointerup = event => {
  const { offsetX, offsetY } = event;
  if (!fingers.delete(event.pointerId) || moved > 6) return;
  // Too small to be met with a finger: closer first.
  if (view.k < 12) return zoom(16 / view.k, offsetX, offsetY);
  const [i, far] = nearest((offsetX - view.x) / view.k, (offsetY - view.y) / view.k);
  if (i >= 0 && far < .9) { look(i); toggle(i); $("under").textContent = said(i); }
};
canvas.onwheel = event => { event.preventDefault(); zoom(Math.exp(-event.deltaY / 300), event.offsetX, event.offsetY); };
canvas.onfocus = canvas.onblur = redraw;
canvas.onkeydown = event => {
  const key = event.key, [right, down] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key] || [];
  let next = here;
  if (right !== undefined && here < 0) next = Math.max(0, state.indexOf(FREE));
  else if (right !== undefined) {
    // The nearest one on that side, of whatever row, but not across the field.
    const [found, far] = nearest(x[here], y[here], i => {
      const along = (x[i] - x[here]) * right + (y[i] - y[here]) * down, across = (x[i] - x[here]) * down + (y[i] - y[here]) * right;
      return along > .2 && Math.abs(across) <= along && state[i] !== WITHDRAWN;
    });
    if (far < 12) next = found;
  } else if ((key === "Enter" || key === " ") && here >= 0) toggle(here);
  else if (key === "+" || key === "=") zoom(1.4);
  else if (key === "-") zoom(1 / 1.4);
  else return;
  event.preventDefault();
  if (view.k < 12 && right !== undefined) zoom(24 / view.k, x[next] * view.k + view.x, y[next] * view.k + view.y);
  look(next);
};
$("in").onclick = () => zoom(1.6);
$("out").onclick = () => zoom(1 / 1.6);
$("best").onclick = () => { byNumber = { [$("zone").value]: +$("qty").value }; $("form").requestSubmit(); };
const chosen = () => byNumber ? { items: byNumber } : { units: [...mine].map(i => names[i]) };

globalThis.itemsOf = units => units.reduce((items, unit) => {
  const sku = hall?.zones?.[zoneOf[at.get(unit)]]?.sku;
  return { ...items, [sku]: (items[sku] || 0) + 1 };
}, {});

let marked = "";
function changed(cart) {
  if (!hall?.rows) return;
  const ours = cart ? `${cart.id} ${cart.units}` : "";
  if (marked !== ours) {
    // What is in the cart is marked, also after a reload and where the sale chose.
    if (cart?.units || marked) { mine.clear(); byNumber = null; }
    for (const unit of cart?.units || []) if (at.has(unit)) mine.add(at.get(unit));
    marked = ours;
    redraw();
  }
  const isOver = cart?.state === "sold", names_ = [...mine].map(i => names[i]).join();
  $("buy").hidden ||= !mine.size || (isOver && names_ === String(cart.units));
  $("best").disabled = !!cart && !isOver;
  if ($("mine").dataset.shown === names_) return;
  $("mine").dataset.shown = names_;
  $("mine").replaceChildren(...[...mine].map(i => {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: `${names[i]} ×` });
    button.setAttribute("aria-label", `Leave ${names[i]} out`);
    button.onclick = () => toggle(i);
    return button;
  }));
}

// --- live -------------------------------------------------------------------------------

async function begin() {
  const began = performance.now();
  hall = await ask("GET", "/seats/map");
  if (!hall.rows) return say(hall.says, "no");
  build(); showAll(); choose();
  $("zone").replaceChildren(...hall.zones.filter((_, zone) => rows.some(row => row.zone === zone)).map(zone => new Option(`${zone.title}, ${money(zone.cents)}`, zone.sku)));
  draw(); show();
  window.loaded_ms = performance.now() - began;
  const live = new EventSource(`/seats/live?since=${hall.epoch}.${hall.version}`);
  live.onmessage = event => {
    for (const word of JSON.parse(event.data)) {
      const i = word >> 2;
      state[i] = word & 3; seen++;
      // Somebody else was quicker.
      if (state[i] !== FREE && mine.has(i) && !load()) { mine.delete(i); say(`${names[i]} is gone. Please choose another.`, "no"); show(); }
    }
    redraw();
  };
  live.addEventListener("stale", () => { live.close(); begin(); });
}
addEventListener("resize", () => { if (hall?.rows) { showAll(); redraw(); } });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { choose(); redraw(); });
listen();
begin();
