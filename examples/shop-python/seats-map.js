// The seat map: where each seat is, and how it is drawn. How one is chosen: seats-page.js.
"use strict";
const canvas = $("hall"), pen = canvas.getContext("2d");
// A seat's number is its place on the map; these are by that number.
let hall = null, x, y, state, zoneOf, names = [], at = new Map(), rows = [];
let view = { k: 1, x: 0, y: 0 }, field = null, fit = 1, here = -1, byNumber = null, frames = 0, seen = 0;
const mine = new Set(), FREE = 0, WITHDRAWN = 3, SEAT = .78;

// --- where seats are ------------------------------------------------------------------

function build() {
  names = []; rows = []; at.clear();
  for (const [zone, row, first, count] of hall.rows) {
    const some = Array.isArray(first) ? first : Array.from({ length: count }, (_, i) => String(first + i));
    rows.push({ zone, row, from: names.length, to: names.length + some.length, block: row.includes("-") ? row.slice(0, row.lastIndexOf("-")) : "" });
    for (const seat of some) { at.set(row ? `${row}-${seat}` : seat, names.length); names.push(row ? `${row}-${seat}` : seat); }
  }
  const size = names.length, packed = Uint8Array.from(atob(hall.states), letter => letter.charCodeAt(0));
  x = new Float32Array(size); y = new Float32Array(size); state = new Uint8Array(size); zoneOf = new Uint8Array(size);
  for (let i = 0; i < size; i++) state[i] = packed[i >> 2] >> 2 * (i & 3) & 3;
  for (const { zone, from, to } of rows) zoneOf.fill(zone, from, to);
  const blocks = hall.zones.map((_, zone) => [...new Set(rows.filter(row => row.zone === zone).map(row => row.block))]);
  blocks.some(some => some.length >= 8) ? bowl(blocks) : stage();
}

// Blocks all around, a ring for each zone.
function bowl(blocks) {
  let edge = 0;
  field = { round: true };
  blocks.forEach((some, zone) => {
    const wedge = 2 * Math.PI / some.length;
    some.forEach((block, number) => {
      const here = rows.filter(row => row.zone === zone && row.block === block);
      const longest = Math.max(...here.map(({ from, to }) => to - from));
      const inner = Math.max(edge + 7, longest * some.length / 2 / Math.PI);
      here.forEach(({ from, to }, depth) => {
        for (let i = from; i < to; i++) {
          const turn = (number + .5 + (i - from + .5 - (to - from) / 2) / longest * .93) * wedge - Math.PI / 2;
          x[i] = Math.cos(turn) * (inner + depth) * 1.12; y[i] = Math.sin(turn) * (inner + depth) * .92;
        }
      });
      if (number === some.length - 1) edge = inner + here.length;
      field.size ??= inner - 8;
    });
  });
}

// Rows behind each other, in front of a stage.
function stage() {
  let down = 4, zone = 0;
  field = { round: false, size: Math.max(...rows.map(({ from, to }) => to - from)) / 2 };
  for (const row of rows) {
    if (row.zone !== zone) { down += 1; zone = row.zone; }
    for (let i = row.from; i < row.to; i++) { x[i] = (i - row.from) - (row.to - row.from - 1) / 2; y[i] = down; }
    down += 1.15;
  }
}

function showAll() {
  const box = canvas.getBoundingClientRect(), range = of => of.reduce(([low, high], one) => [Math.min(low, one), Math.max(high, one)], [0, 0]);
  const [left, right] = range(x), [top, bottom] = range(y);
  fit = Math.min(box.width / (right - left + 3), box.height / (bottom - top + 3), 40);
  view = { k: fit, x: box.width / 2 - fit * (left + right) / 2, y: box.height / 2 - fit * (top + bottom) / 2 };
}

// --- drawing ----------------------------------------------------------------------------

let colours = [], ink = {};
function choose() {
  const of = (light, dark) => matchMedia("(prefers-color-scheme: dark)").matches ? dark : light;
  const free = of([[11, 95, 208], [20, 128, 92], [128, 70, 190]], [[125, 179, 255], [104, 205, 160], [196, 160, 255]]);
  ink = { free: zone => free[zone % 3], held: of([217, 119, 6], [240, 170, 70]), sold: of([205, 201, 193], [66, 71, 81]), mine: of([190, 24, 93], [255, 140, 190]), field: of("#e3efdf", "#22352a"), text: of("#fff", "#0c1420"), soft: of("#5b6068", "#aab0ba") };
  colours = hall.zones.map((_, zone) => [ink.free(zone), ink.held, ink.sold]);
  $("legend").replaceChildren(...[...hall.zones.map((zone, i) => [`${zone.title}, ${money(zone.cents)}`, ink.free(i)]).filter((_, i) => rows.some(({ zone }) => zone === i)), ["in a cart", ink.held], ["sold", ink.sold], ["your choice", ink.mine]].map(([text, colour]) => {
    const item = document.createElement("li"), spot = document.createElement("i");
    spot.style.background = `rgb(${colour})`;
    item.append(spot, text);
    return item;
  }));
}

let wanted = false;
const redraw = () => { if (!wanted) { wanted = true; requestAnimationFrame(draw); } };
function draw() {
  wanted = false; frames++;
  const ratio = devicePixelRatio, width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  const k = view.k * ratio, left = view.x * ratio, top = view.y * ratio, size = k * SEAT;
  if (size < 9) pixels(width, height, k, left, top, Math.max(1, Math.round(size)));
  else discs(width, height, k, left, top, size);
  pitch(k, left, top);
  if (here >= 0 && document.activeElement === canvas) {
    pen.strokeStyle = ink.soft; pen.lineWidth = 2 * ratio;
    pen.strokeRect(x[here] * k + left - size * .75, y[here] * k + top - size * .75, size * 1.5, size * 1.5);
  }
}

// What everybody looks at, behind the seats.
function pitch(k, left, top) {
  const { round, size } = field;
  pen.globalCompositeOperation = "destination-over";
  pen.fillStyle = ink.field;
  pen.beginPath();
  if (round) pen.roundRect(left - size * .9 * k, top - size * .52 * k, size * 1.8 * k, size * 1.04 * k, size * .06 * k);
  else pen.roundRect(left - size * .6 * k, top + k, size * 1.2 * k, 1.5 * k, .3 * k);
  pen.fill();
  pen.globalCompositeOperation = "source-over";
}

// From afar: into the memory of the picture, as 80,000 calls of the canvas would take longer than a frame.
let picture = null, memory = null;
function pixels(width, height, k, left, top, size) {
  if (picture?.width !== width || picture?.height !== height) { picture = new ImageData(width, height); memory = new Uint32Array(picture.data.buffer); }
  memory.fill(0);
  const word = ([r, g, b]) => (255 << 24 | b << 16 | g << 8 | r) >>> 0, words = colours.map(three => three.map(word)), own = word(ink.mine);
  for (let i = 0; i < x.length; i++) {
    if (state[i] === WITHDRAWN) continue;
    const px = x[i] * k + left - size / 2 | 0, py = y[i] * k + top - size / 2 | 0;
    if (px < 0 || py < 0 || px + size >= width || py + size >= height) continue;
    const colour = mine.has(i) ? own : words[zoneOf[i]][state[i]];
    for (let down = py; down < py + size; down++) memory.fill(colour, down * width + px, down * width + px + size);
  }
  pen.putImageData(picture, 0, 0);
}

function discs(width, height, k, left, top, size) {
  pen.clearRect(0, 0, width, height);
  pen.font = `600 ${size * .42}px system-ui, sans-serif`; pen.textAlign = "center"; pen.textBaseline = "middle";
  for (let i = 0; i < x.length; i++) {
    const px = x[i] * k + left, py = y[i] * k + top;
    if (px < -size || py < -size || px > width + size || py > height + size || state[i] === WITHDRAWN) continue;
    pen.fillStyle = `rgb(${mine.has(i) ? ink.mine : colours[zoneOf[i]][state[i]]})`;
    pen.beginPath(); pen.roundRect(px - size / 2, py - size / 2, size, size, size * .28); pen.fill();
    if (size > 18 && (state[i] === FREE || mine.has(i))) { pen.fillStyle = ink.text; pen.fillText(names[i].slice(names[i].lastIndexOf("-") + 1), px, py); }
  }
}
