"use strict";
// The picture is there already. This lends it a magnifier, and a memory of what every node is and is connected to.
// Listeners sit on the page, not on nodes, and only nodes that change are touched: 20,000 nodes stay quick.

const $ = (id) => document.getElementById(id);
const root = document.documentElement, stage = $("stage"), panel = $("panel");
const picture = stage.querySelector("svg");
const { items, texts, edges, forward, backward, scale } = JSON.parse($("data").textContent);

// ------------------------------------------------------------------------------------- what is connected to what
const number = new Map(items.map((item, i) => [item.id, i]));
const shapes = items.map((item) => document.getElementById(item.id));
const inputs = items.map(() => []), users = items.map(() => []);
const lines = new Map(); // the drawn edges, by "source target"
for (const [source, target] of edges) {
  if (lines.has(`${source} ${target}`)) continue;
  lines.set(`${source} ${target}`, []);
  inputs[target].push(source);
  users[source].push(target);
}
for (const line of picture.querySelectorAll("g.edge")) {
  lines.get(`${number.get(line.dataset.source)} ${number.get(line.dataset.target)}`)?.push(line);
}
const linesInto = (i) => inputs[i].flatMap((source) => lines.get(`${source} ${i}`) ?? []);
const linesOutOf = (i) => users[i].flatMap((target) => lines.get(`${i} ${target}`) ?? []);
for (const shape of shapes) {
  shape?.setAttribute("tabindex", "0");
  shape?.setAttribute("role", "button");
}
if (items.length < 1000) stage.dataset.calm = ""; // fading costs too much where there are many
if (scale) stage.dataset.heat = "";
const nodeOf = (target) => number.get(target.closest?.("#stage g.node")?.id);

/** Give a class to these elements and take it from those that had it. */
const wearers = new Map();
const dress = (name, elements) => {
  const now = new Set(elements.filter(Boolean)); // what is folded away is not drawn
  for (const element of wearers.get(name) ?? []) if (!now.has(element)) element.classList.remove(name);
  for (const element of now) element.classList.add(name);
  wearers.set(name, now);
};

// ------------------------------------------------------------------------------------------------- zoom and pan
const { width, height } = picture.viewBox.baseVal;
const clamp = (value, low, high) => Math.max(low, Math.min(high, value));
const across = () => (stage.offsetWidth - 24) / width, down = () => (stage.offsetHeight - 24) / height;
const whole = () => Math.max(Math.min(across(), down()), Math.min(down(), 100 / height)); // a strip, but no hair
let zoom = 1, fitted = true;

const setZoom = (next, x = stage.clientWidth / 2, y = stage.clientHeight / 2) => {
  const before = picture.getBoundingClientRect(), corner = stage.getBoundingClientRect();
  const right = (corner.left + x - before.left) / before.width, below = (corner.top + y - before.top) / before.height;
  zoom = clamp(next, Math.min(whole(), 0.2), 6);
  picture.style.width = `${width * zoom}px`;
  picture.style.height = `${height * zoom}px`;
  const after = picture.getBoundingClientRect();
  stage.scrollLeft += after.left + right * after.width - corner.left - x;
  stage.scrollTop += after.top + below * after.height - corner.top - y;
};
const fit = () => {
  setZoom(Math.min(whole(), 1.6));
  fitted = true;
};
const zoomBy = (factor, x, y) => {
  setZoom(zoom * factor, x, y);
  fitted = false;
};
const open = () => { // a long strip begins at its left end, large enough to be read
  fit();
  if (zoom < 0.4 && down() > zoom) zoomBy(Math.min(1, down()) / zoom);
  stage.scrollLeft = 0;
};
const reveal = (i) => shapes[i]?.scrollIntoView({ block: "nearest", inline: "nearest" });

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
  stage.scrollLeft -= dx;
  stage.scrollTop -= dy;
});
const release = () => setTimeout(() => { grip = null; }); // after the click that ends a drag
stage.addEventListener("pointerup", release);
stage.addEventListener("pointercancel", release);

// -------------------------------------------------------------------------------------------------- the panel
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};
const text = (index) => texts[index];
const figure = (value) => { // 0.0000016 is hard to read
  const odd = typeof value === "number" && value && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6);
  return odd ? String(Number(value.toExponential(3)).toExponential()) : String(value);
};
let picked = -1;

const heat = ({ strip, size }, shape) => {
  const most = Math.max(...strip.filter((value) => typeof value === "number").map(Math.abs), 1e-300);
  const cells = strip.map((value) => {
    const cell = make("i", { title: figure(value) });
    if (typeof value !== "number") cell.dataset.odd = "";
    else cell.style.setProperty("--heat", `${Math.round(100 * Math.sqrt(Math.abs(value) / most))}%`);
    if (value < 0) cell.dataset.cold = "";
    return cell;
  });
  const last = Number(shape?.match(/(\d+),?\)$/)?.[1] ?? 0);
  const columns = size <= 64 && last && last <= 16 ? last : 16;
  const grid = make("div", { role: "img", ariaLabel: "heat strip of the values" }, ...cells);
  grid.style.setProperty("--columns", columns);
  grid.dataset.is = "heat";
  const some = `${strip.length} of ${size.toLocaleString("en")} values, evenly spaced`;
  const which = strip.length < size ? some : "all values";
  return strip.length > 1 ? [grid, make("small", {}, `${which}; blue is negative, red is positive`)] : [];
};
const facts = (about, values, title, seen = {}) => {
  const one = values?.size === 1 || typeof values === "string";
  const rows = [
    ["name", title.endsWith(` ${about.name}`) || title === about.name ? "" : about.name],
    ["shape", about.shape && `${about.shape} ${about.dtype}`], ["in", seen.place], ["line", seen.line],
    [scale || "shown", seen.value], ["|.grad|", about.gradient ?? (about.op === "parameter" ? "not computed" : "")],
    one ? ["value", values.mean ?? values]
      : ["values", values && `${figure(values.min)} … ${figure(values.max)}, mean ${figure(values.mean)}`],
  ].filter(([, value]) => value !== undefined && value !== "");
  const list = make("dl", {}, ...rows.flatMap(([key, value]) => [make("dt", {}, key), make("dd", {}, figure(value))]));
  return [list, ...(values?.strip ? heat(values, about.shape) : [])];
};
const links = (title, found) => {
  if (!found.length) return [];
  const buttons = found.slice(0, 100).map((i) => {
    const { title: name, step } = items[i];
    const button = make("button", {}, name);
    if (step && step !== items[picked].step) button.append(make("small", {}, ` ${step}`));
    button.dataset.go = i;
    return make("li", {}, button);
  });
  if (found.length > 100) buttons.push(make("li", {}, `and ${found.length - 100} more`));
  return [make("h3", {}, title), make("ul", {}, ...buttons)];
};
const fill = (i) => {
  const item = items[i], rules = text(item.rules) ?? [], parts = text(item.of) ?? [];
  const close = make("button", { id: "close", title: "Close (Esc)", ariaLabel: "Close" }, "×");
  const seen = { place: text(item.place), line: text(item.line), value: item.value };
  panel.replaceChildren(
    close, make("h2", {}, item.title), make("p", {}, text(item.about) ?? ""),
    ...facts(item, text(item.values), item.title, seen),
    ...parts.flatMap((part) => [make("h3", {}, part.name), ...facts(part, part.values, part.name)]),
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
  dress("is-input", i < 0 ? [] : linesInto(i));
  dress("is-user", i < 0 ? [] : linesOutOf(i));
  if (i < 0) return;
  fill(i);
  reveal(i);
};
stage.addEventListener("click", (event) => {
  if (grip?.moved) return;
  pick(nodeOf(event.target) ?? -1);
});
panel.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.id === "close") return leave();
  if (button?.dataset.go) pick(Number(button.dataset.go));
  if (button) panel.focus({ preventScroll: true });
});
const leave = () => {
  const before = shapes[picked];
  pick(-1);
  before?.focus({ preventScroll: true });
};

// ----------------------------------------------------------------------------------------------------- search
const haystack = items.map((item) => [
  item.title, item.name, item.op, item.symbol, item.shape, item.role, item.step, text(item.place),
].join(" ").toLowerCase());
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
