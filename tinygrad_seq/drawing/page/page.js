"use strict";
// The picture is there already. This lends it a magnifier, and a memory of what every node is and is connected to.
// Listeners sit on the page, only what changes is touched, and only what is near is drawn: 20,000 nodes stay quick.

const $ = (id) => document.getElementById(id);
const root = document.documentElement, stage = $("stage"), panel = $("panel");
const picture = stage.querySelector("svg");
const { items, texts, shared, forward, backward, second, scale } = JSON.parse($("data").textContent);

// ------------------------------------------------------------------------------------- what is connected to what
const number = new Map(items.map((item, i) => [item.id, i]));
const shapes = items.map((item) => $(item.id)), lines = [...picture.querySelectorAll("g.edge")];
const ends = lines.map((line) => [number.get(line.dataset.source), number.get(line.dataset.target)]);
const inputs = items.map(() => new Set()), users = items.map(() => new Set()); // numbers of items
const linesInto = items.map(() => []), linesOutOf = items.map(() => []);
ends.forEach(([source, target], k) => {
  inputs[target].add(source);
  users[source].add(target);
  linesInto[target].push(lines[k]);
  linesOutOf[source].push(lines[k]);
});
for (const shape of shapes) {
  shape.setAttribute("tabindex", "0");
  shape.setAttribute("role", "button");
}
if (items.length < 1000) stage.dataset.calm = ""; // fading costs too much where there are many
if (scale) stage.dataset.heat = "";
const told = (i) => ({ ...items[i], ...Object.fromEntries(shared.map((key) => [key, texts[items[i][key]]])) });
const nodeOf = (target) => number.get(target.closest?.("#stage g.node")?.id);

/** Give a class to these elements and take it from those that had it. */
const wearers = new Map();
const dress = (name, elements) => {
  const now = new Set(elements);
  for (const element of wearers.get(name) ?? []) if (!now.has(element)) element.classList.remove(name);
  for (const element of now) element.classList.add(name);
  wearers.set(name, now);
};

// ------------------------------------------------------------------------------------------ what is near is there
// At each change a browser lays out all that is in a picture. So it is cut into miles along its longer side, and what
// is in those that are far away is taken out.
const frame = picture.viewBox.baseVal, { width, height } = frame, mile = 1000;
const [along, length, scrolled, room] = width > height
  ? ["x", "width", "scrollLeft", "clientWidth"] : ["y", "height", "scrollTop", "clientHeight"];
const mileAt = (shape) => {
  const box = shape.querySelector("rect");
  return box[length].baseVal.value > mile ? -1 : Math.floor((box[along].baseVal.value - frame[along]) / mile);
};
const clusters = [...picture.querySelectorAll("g.cluster")], mileOf = shapes.map(mileAt);
const mileOfLine = ends.map(([a, b]) => (Math.abs(mileOf[a] - mileOf[b]) > 1 ? -1 : Math.min(mileOf[a], mileOf[b])));
const boxes = []; // [mile, group, what belongs into it]
for (const [pieces, miles] of [[clusters, clusters.map(mileAt)], [lines, mileOfLine], [shapes, mileOf]]) {
  const after = pieces.at(-1)?.nextSibling;
  for (const [m, inside] of [...Map.groupBy(pieces, (_, k) => miles[k])].sort(([a], [b]) => a - b)) {
    if (m < 0) continue; // what reaches far stays
    const group = picture.insertBefore(document.createElementNS(picture.namespaceURI, "g"), after);
    for (const piece of inside) piece.remove();
    boxes.push([m, group, inside]);
  }
}
const uncover = (from, to) => {
  for (const [m, group, inside] of boxes) {
    const near = m >= from && m <= to;
    if (near !== group.hasChildNodes()) group.replaceChildren(...(near ? inside : []));
  }
};
const uncoverNear = () => {
  const start = stage[scrolled], away = stage[room];
  uncover(Math.floor((start - away) / zoom / mile) - 1, Math.floor((start + 2 * away) / zoom / mile));
};
stage.addEventListener("scroll", uncoverNear);

// ------------------------------------------------------------------------------------------------- zoom and pan
const clamp = (value, low, high) => Math.max(low, Math.min(high, value));
const across = () => (stage.offsetWidth - 24) / width, down = () => (stage.offsetHeight - 24) / height;
const whole = () => Math.max(Math.min(across(), down()), Math.min(down(), 100 / height)); // a strip, but no hair
let zoom = 1, fitted = true;

const setZoom = (next, fits, x = stage.clientWidth / 2, y = stage.clientHeight / 2) => {
  const before = picture.getBoundingClientRect(), corner = stage.getBoundingClientRect();
  const right = (corner.left + x - before.left) / before.width, below = (corner.top + y - before.top) / before.height;
  [zoom, fitted] = [clamp(next, Math.min(whole(), 0.2), 6), fits];
  picture.style.width = `${width * zoom}px`;
  picture.style.height = `${height * zoom}px`;
  const after = picture.getBoundingClientRect();
  stage.scrollLeft += after.left + right * after.width - corner.left - x;
  stage.scrollTop += after.top + below * after.height - corner.top - y;
  uncoverNear();
};
const fit = () => setZoom(Math.min(whole(), 1.6), true);
const zoomBy = (factor, x, y) => setZoom(zoom * factor, false, x, y);
const open = () => { // what is too long to be read as a whole begins at its left end or its top
  fit();
  if (zoom < 0.5) zoomBy(clamp(Math.max(across(), down()), 0.6, 0.9) / zoom);
  stage.scrollTo(0, 0);
};
const reveal = (i) => {
  if (!shapes[i].isConnected) {
    stage[scrolled] = mileOf[i] * mile * zoom;
    uncoverNear();
  }
  shapes[i].scrollIntoView({ block: "nearest", inline: "nearest" });
};

stage.addEventListener("wheel", (event) => {
  if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) return; // sideways: scrolls
  event.preventDefault();
  const corner = stage.getBoundingClientRect();
  zoomBy(Math.exp(-clamp(event.deltaY, -120, 120) / 500), event.clientX - corner.left, event.clientY - corner.top);
}, { passive: false });

let grip = null; // where a drag is; fingers scroll by themselves
stage.addEventListener("pointerdown", (event) => {
  if (event.pointerType === "mouse" && event.button === 0) grip = { x: event.clientX, y: event.clientY, moved: false };
});
stage.addEventListener("pointermove", (event) => {
  if (!grip) return;
  const dx = event.clientX - grip.x, dy = event.clientY - grip.y;
  if (!grip.moved && Math.hypot(dx, dy) < 5) return;
  if (!grip.moved) stage.setPointerCapture(event.pointerId);
  grip = { x: event.clientX, y: event.clientY, moved: true };
  stage.scrollBy(-dx, -dy);
});
for (const end of ["pointerup", "pointercancel"]) {
  stage.addEventListener(end, () => setTimeout(() => { grip = null; })); // after the click that ends a drag
}

// -------------------------------------------------------------------------------------------------- the panel
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};
const figure = (value) => { // 0.0000016 is hard to read
  const odd = typeof value === "number" && value && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e9);
  return odd ? String(Number(value.toExponential(3)).toExponential()) : String(value);
};
let picked = -1;

const heat = ({ strip, size }, shape) => {
  const most = Math.max(...strip.filter(Number.isFinite).map(Math.abs), 1e-300);
  const cells = strip.map((value) => {
    const kind = !Number.isFinite(value) ? "odd" : value < 0 ? "cold" : "";
    const cell = make("i", { title: figure(value), className: kind });
    cell.style.setProperty("--heat", `${Math.round(100 * Math.sqrt(Math.abs(value) / most)) || 0}%`);
    return cell;
  });
  const last = Number(shape.match(/(\d+),?\)$/)?.[1] ?? 0);
  const grid = make("div", { className: "heat", role: "img", ariaLabel: "heat strip of the values" }, ...cells);
  grid.style.setProperty("--columns", size <= 64 && last && last <= 16 ? last : 16);
  const some = `${strip.length} of ${size.toLocaleString("en")} values, evenly spaced`;
  const note = `${strip.length < size ? some : "all values"}; blue is negative, red is positive`;
  return strip.length > 1 ? [grid, make("small", {}, note)] : [];
};
const facts = (about, title, seen = {}) => {
  const { values } = about, one = values?.size === 1 || typeof values === "string";
  const rows = [
    ["name", title.endsWith(about.name) ? "" : about.name],
    ["shape", about.shape && `${about.shape} ${about.dtype}`], ["in", seen.place], ["line", about.line],
    [scale, seen.value], [/^[(1, )]*$/.test(about.shape) ? ".grad" : "|.grad|", about.gradient ?? (about.op === "parameter" ? "not computed" : undefined)],
    one ? ["value", values.mean ?? values]
      : ["values", values && `${figure(values.min)} … ${figure(values.max)}, mean ${figure(values.mean)}`],
  ].filter(([, value]) => value !== undefined && value !== "");
  const list = make("dl", {}, ...rows.flatMap(([key, value]) => [make("dt", {}, key), make("dd", {}, figure(value))]));
  return [list, ...(values?.strip ? heat(values, about.shape) : [])];
};
const links = (title, found) => {
  const buttons = [...found].slice(0, 100).map((i) => {
    const { title: name, step } = items[i], button = make("button", {}, name);
    if (step && step !== items[picked].step) button.append(make("small", {}, ` ${step}`));
    button.dataset.go = i;
    return make("li", {}, button);
  });
  if (found.size > 100) buttons.push(make("li", {}, `and ${found.size - 100} more`));
  return found.size ? [make("h3", {}, title), make("ul", {}, ...buttons)] : [];
};
const fill = (i) => {
  const item = told(i), { rules = [], of = [], about = "" } = item;
  panel.replaceChildren(
    make("button", { id: "close", title: "Close (Esc)" }, "×"), make("h2", {}, item.title), make("p", {}, about),
    ...facts(item, item.title, item),
    ...of.flatMap((part) => [make("h3", {}, part.name), ...facts(part, part.name)]),
    ...(rules.length ? [make("h3", {}, "Gradient rule")] : []),
    ...rules.flatMap(([of, source]) => [make("small", {}, `for ${of}`), make("pre", {}, source)]),
    ...links("Made from", inputs[i]), ...links("Used by", users[i]),
  );
  panel.scrollTop = 0;
};
const pick = (i) => {
  picked = i;
  panel.hidden = i < 0;
  dress("is-picked", i < 0 ? [] : [shapes[i]]);
  dress("is-input", linesInto[i] ?? []);
  dress("is-user", linesOutOf[i] ?? []);
  if (i < 0) return;
  fill(i);
  reveal(i);
};
const leave = () => {
  const before = shapes[picked];
  pick(-1);
  before?.focus({ preventScroll: true });
};
stage.addEventListener("click", (event) => {
  if (!grip?.moved) pick(nodeOf(event.target) ?? -1);
});
panel.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.id === "close") return leave();
  if (button) pick(Number(button.dataset.go));
  if (button) panel.focus({ preventScroll: true });
});

// ----------------------------------------------------------------------------------------------------- search
const haystack = items.map(({ title, name, op, symbol, shape, role, step, place }) =>
  [title, name, op, symbol, shape, role, step, texts[place]].join(" ").toLowerCase());
let matches = [], match = -1;
const search = () => {
  const words = $("query").value.trim().toLowerCase();
  matches = words ? haystack.flatMap((hay, i) => (hay.includes(words) ? [i] : [])) : [];
  match = -1;
  dress("is-match", matches.map((i) => shapes[i]));
  $("count").textContent = words ? `${matches.length || "none"} found` : "";
};
const nextMatch = (by) => {
  if (!matches.length) return;
  match = (match + by + matches.length + (match < 0 && by < 0)) % matches.length;
  $("count").textContent = `${match + 1} of ${matches.length}`;
  pick(matches[match]);
};
$("query").addEventListener("input", search);
$("find").addEventListener("submit", (event) => event.preventDefault());
$("query").addEventListener("keydown", (event) => {
  if (event.key === "Enter") nextMatch(event.shiftKey ? -1 : 1);
});
