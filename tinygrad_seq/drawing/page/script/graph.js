"use strict";
// The picture is there already. This lends it a memory of what every node is and is connected to.
// Listeners sit on the page, only what changes is touched, and only what is near is drawn: 20,000 nodes stay quick.

const $ = (id) => document.getElementById(id);
const root = document.documentElement, stage = $("stage"), panel = $("panel"), embedded = self !== parent;
const picture = stage.querySelector("svg");
const given = JSON.parse($("data").textContent);
const { items: known, texts, shared, gaps, second, scale, range: bounds, colours, nothing, ...played } = given;
const clamp = (value, low, high) => Math.max(low, Math.min(high, value));
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};
const drawn = (tag, attributes, ...children) => {
  const element = document.createElementNS(picture.namespaceURI, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
};

// ----------------------------------------------------------------------------------------------------------- colours
const rgb = (colour) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
const between = (a, b, share) => a.map((value, i) => Math.round(value + (b[i] - value) * share));
const ramp = colours.map(rgb);
const tint = (share) => { // from cold to hot
  const at = clamp(share, 0, 1) * (ramp.length - 1), left = Math.min(Math.floor(at), ramp.length - 2);
  return between(ramp[left], ramp[left + 1], at - left);
};

// ------------------------------------------------------------------------------------------ what the picture holds
const numberOf = new Map(known.map((item, i) => [item.id, i]));
const first = { // as it was drawn
  clusters: [...picture.querySelectorAll("g.cluster")],
  lines: [...picture.querySelectorAll("g.edge")],
  shapes: known.map((item) => $(item.id)),
};
first.ends = first.lines.map((line) => [numberOf.get(line.dataset.source), numberOf.get(line.dataset.target)]);
if (known.length < 1000) stage.dataset.calm = ""; // fading costs too much where there are many
if (scale) stage.dataset.heat = "";

// -------------------------------------------------------------------------- what is shown, and connected to what
let items, shapes, lines, number, inputs, users, linesInto, linesOutOf; // of what is shown; inputs are numbers of items
const connect = (scene) => {
  ({ items, shapes, lines } = scene);
  number = new Map(items.map((item, i) => [item.id, i]));
  inputs = items.map(() => new Set());
  users = items.map(() => new Set());
  linesInto = items.map(() => []);
  linesOutOf = items.map(() => []);
  scene.ends.forEach(([source, target], k) => {
    inputs[target].add(source);
    users[source].add(target);
    linesInto[target].push(lines[k]);
    linesOutOf[source].push(lines[k]);
  });
  cut(scene);
};
const text = (item, key) => (typeof item[key] === "number" ? texts[item[key]] : item[key]);
const told = (i) => ({ ...items[i], ...Object.fromEntries(shared.map((key) => [key, text(items[i], key)])) });
const nodeOf = (target) => number.get(target.closest?.("#stage g.node")?.id);

/** Give a class to these elements and take it from those that had it. */
const classed = new Map();
const giveClass = (name, elements) => {
  const now = new Set(elements);
  for (const element of classed.get(name) ?? []) if (!now.has(element)) element.classList.remove(name);
  for (const element of now) element.classList.add(name);
  classed.set(name, now);
};

// ------------------------------------------------------------------------------------------ what is near is there
// At each change a browser lays out all that is in a picture. So it is cut into tiles along its longer side, and what
// is in those that are far away is taken out.
const frame = picture.viewBox.baseVal, paper = picture.querySelector(".paper"), tileSize = 1000;
const wide = frame.width > frame.height;
const [along, length, scrolled, room] = wide
  ? ["x", "width", "scrollLeft", "clientWidth"] : ["y", "height", "scrollTop", "clientHeight"];
const start = frame[along];
const layers = ["clusters", "lines", "shapes"].map((kind) => {
  const layer = drawn("g", {});
  first[kind][0]?.before(layer);
  return [kind, layer];
});
const legend = drawn("g", { id: "legend" });
const last = [...picture.querySelectorAll("g.node")].at(-1);
while (last?.nextSibling) legend.append(last.nextSibling);
picture.append(legend);
for (const [kind] of layers) for (const piece of first[kind]) piece.remove();
const boxOf = (shape) => {
  const box = shape.querySelector("rect");
  const [x, y, width, height] = ["x", "y", "width", "height"].map((name) => box[name].baseVal.value);
  return { x: x + (shape.moved ?? 0), y, width, height };
};
let boxes = [], tiles = []; // [tile, group, what belongs into it], and the tile of every item
const cut = (scene) => {
  const tileOf = (shape) => {
    const box = boxOf(shape);
    return box[length] > tileSize ? -1 : Math.floor((box[along] - start) / tileSize);
  };
  tiles = shapes.map(tileOf);
  const ofLine = scene.ends.map(([a, b]) => (Math.abs(tiles[a] - tiles[b]) > 1 ? -1 : Math.min(tiles[a], tiles[b])));
  const places = { clusters: scene.clusters.map(tileOf), lines: ofLine, shapes: tiles };
  boxes = [];
  for (const [kind, layer] of layers) {
    const byTile = Map.groupBy(scene[kind], (_, k) => places[kind][k]);
    const far = [...(byTile.get(-1) ?? []), ...(kind === "lines" ? scene.loose : [])];
    layer.replaceChildren(...far); // what reaches far stays
    for (const [m, inside] of [...byTile].sort(([a], [b]) => a - b)) {
      if (m >= 0) boxes.push([m, layer.appendChild(drawn("g", {})), inside]);
    }
  }
};
const uncover = (from, to) => {
  for (const [m, group, inside] of boxes) {
    const near = m >= from && m <= to;
    if (near !== group.hasChildNodes()) group.replaceChildren(...(near ? inside : []));
  }
};
const uncoverNear = () => {
  const at = stage[scrolled], away = stage[room];
  uncover(Math.floor((at - away) / zoom / tileSize) - 1, Math.floor((at + 2 * away) / zoom / tileSize));
  pointToResult();
};
stage.addEventListener("scroll", uncoverNear);
