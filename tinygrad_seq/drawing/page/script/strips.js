// States and gates over time, under the columns: each step a column of colours, also the steps that are left out, and
// below each row how much gradient came back. What there is to show is found once; then it only has to be placed.

const band = drawn("g", { id: "strips" });
legend.before(band);

// ------------------------------------------------------------------------------------------ what there is to show
const short = ({ strip = [], size } = {}) => { // as steps in a gap have it
  const every = size > 64 ? 4 : Math.ceil(size / 16);
  return strip.length > 16 ? strip.filter((_, i) => i % every === 0) : strip;
};
const columnFor = (item) => ({ values: short(text(item, "values")), norm: text(item, "gradient")?.norm });
const carried = new Set(first.lines.filter((line) => line.matches(".state")).map((line) => line.dataset.source));
const findRows = () => { // by loop and name, the columns of every card
  const found = new Map();
  known.forEach((item, i) => {
    const card = cardOf.get(homes[i].at(-1)), shows = ["state", "gate"].includes(item.role) || carried.has(item.id);
    if (!card || card.gap || !shows || !(text(item, "values")?.strip?.length > 0)) return;
    const loop = loopOf(card.id), name = item.name ?? item.op, key = `${loop}|${name}`;
    const path = text(item, "place").split(" / "), place = path.slice(0, path.lastIndexOf(item.step)).join(" / ");
    if (!found.has(key)) found.set(key, { key, loop, place, name, gate: item.role === "gate", columns: new Map() });
    const { columns } = found.get(key);
    columns.set(card.id, [columnFor(item)]);
    for (const table of gaps.filter(({ before }) => before === card.id)) {
      columns.set(table.id, table.steps.map((title, k) => columnFor(stepOf(table, k, item, title))));
    }
  });
  const order = [...new Set(cards.map(({ id }) => loopOf(id)))];
  return [...found.values()].filter(({ columns }) => columns.size > 1)
    .sort((a, b) => order.indexOf(a.loop) - order.indexOf(b.loop) || a.gate - b.gate);
};
const rows = findRows(), several = new Set(rows.map(({ loop }) => loop)).size > 1;
const largest = (numbers) => numbers.reduce((most, number) => Math.max(most, number), -Infinity);
for (const row of rows) {
  const all = [...row.columns.values()].flat();
  row.most = largest(all.flatMap(({ values }) => values).map(Math.abs).filter(Number.isFinite)) || 1;
  row.high = largest(all.map(({ values }) => values.length));
}
const everything = rows.flatMap(({ columns }) => [...columns.values()].flat());
const norms = everything.map(({ norm }) => norm).filter((norm) => norm > 0), logs = norms.map(Math.log10);
const extent = [Math.max(-largest(logs.map((log) => -log)), largest(logs) - 12), largest(logs)];
const [coldest, hottest] = bounds.length && /gradient/.test(scale) ? bounds.map(Math.log10) : extent; // as of the nodes
const indent = Math.min(...cards.map(({ left }) => left)) - frame.x;
const margin = largest(rows.map(({ name }) => 7 * name.length + 14)) - indent;
if (margin > 0) { // room for the names
  frame.x -= margin;
  frame.width = natural += margin;
  paper.setAttribute("x", frame.x);
}

// -------------------------------------------------------------------------------------------------------- images
const pixels = (columns, high, colour) => { // one for each number
  const canvas = make("canvas", { width: columns.length, height: high }), context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, high);
  columns.forEach((column, x) => {
    for (let y = 0; y < high; y++) image.data.set([...colour(column, y), 255], 4 * (y * canvas.width + x));
  });
  context.putImageData(image, 0, 0);
  return canvas.toDataURL();
};
const lights = { ground: ["#F6F7F9", "#222A33"], hot: ["#CC4419", "#FF7A4D"], cold: ["#26789B", "#58B4E4"] };
const themed = (name) => rgb(lights[name][Number(isDark())]);
const painted = new Map();
const paint = (row, part, columns) => { // the images of values and of gradients
  const key = `${row.key} ${part} ${isDark()}`;
  if (!painted.has(key)) {
    const [ground, hot, cold] = ["ground", "hot", "cold"].map(themed);
    const value = ({ values }, y) => {
      const number = values[Math.floor((y * values.length) / row.high)];
      return Number.isFinite(number) ? between(ground, number < 0 ? cold : hot, Math.abs(number) / row.most) : ground;
    };
    const share = (norm) => (Math.log10(norm) - coldest) / Math.max(hottest - coldest, 1e-9);
    const heat = ({ norm }) => (norm > 0 ? tint(share(norm)) : ground);
    painted.set(key, [pixels(columns, row.high, value), pixels(columns, 1, heat)]);
  }
  return painted.get(key);
};
const piece = (href, [left, right], y, high, [from, count], all) => { // a part of an image
  const strip = drawn("image", { href, width: all, height: 1, preserveAspectRatio: "none" });
  const box = { x: left, y, width: Math.max(right - left, 1), height: high, viewBox: `${from} 0 ${count} 1` };
  return drawn("svg", { ...box, preserveAspectRatio: "none" }, strip);
};
const word = (x, y, said, kind, anchor) => {
  const element = drawn("text", { x, y, "font-size": 12, "text-anchor": anchor, class: kind });
  element.textContent = said;
  return element;
};

// -------------------------------------------------------------------------------------------------------- places
const naturalHeight = frame.height;
const heights = [...legend.querySelectorAll("rect, text")].map((shape) => Number(shape.getAttribute("y")));
const top = Math.min(...heights, frame.y + frame.height - 40); // where the legend was
const placesOf = (row, bend, openings) => { // [card, its columns, from which on and how many are shown, where]
  const here = cards.filter(({ id }) => row.columns.has(id)), all = here.map(({ id }) => row.columns.get(id));
  if (here.length > 60 && all.every(({ length }) => length === 1)) { // very many side by side are one image
    const end = bend(here.at(-1).left) + here[1].left - here[0].left;
    return [["all", all.flat(), [0, all.length], [bend(here[0].left), end]]];
  }
  return here.flatMap((card, i) => {
    const open = openings.find(({ gaps: opened }) => opened.some(({ id }) => id === card.id));
    const place = [bend(card.left), bend(card.right)], many = all[i].length;
    if (!open) return [[card.id, all[i], [0, many], place]];
    const { kept, moved, before, gaps: opened, k } = open, step = before[opened.findIndex(({ id }) => id === card.id)];
    return [
      [card.id, all[i], [0, k], [kept(card.left), kept(card.right)]],
      [card.id, all[i], [k, 1], [moved(step.left), moved(step.right)]],
      [card.id, all[i], [k + 1, many - k - 1], place],
    ].filter(([, , [, count]]) => count > 0);
  });
};
let lastStrips = null;
const strips = (bend, openings) => {
  lastStrips = [bend, openings];
  if (!rows.length) return;
  const parts = [], lefts = [], ends = new Map(); // of loops: from where to where, and how far down
  let y = top;
  for (const row of rows) {
    const places = placesOf(row, bend, openings), tall = clamp(3 * row.high, 14, 36);
    const left = Math.min(...places.map(([, , , [from]]) => from));
    lefts.push(left);
    const right = Math.max(...places.map(([, , , [, to]]) => to));
    const isFirst = !ends.has(row.loop), beside = ([from, to]) => to < left - 60 || from > right + 60;
    y = isFirst ? Math.max(top, ...[...ends.values()].filter((end) => !beside(end)).map(([, , low]) => low))
      : ends.get(row.loop)[2];
    if (several && isFirst) {
      parts.push(word(left, y + 10, row.place || "loop", "quiet", "start"));
      y += 20;
    }
    parts.push(word(left - 8, y + tall / 2 + 4, row.name, "", "end"));
    for (const [part, columns, [from, count], place] of places) {
      const [values, heats] = paint(row, part, columns), span = [from, count];
      const strip = piece(values, place, y, tall, span, columns.length);
      if (tables.has(part)) strip.firstChild.dataset.gap = part;
      parts.push(strip, ...(norms.length ? [piece(heats, place, y + tall + 2, 4, span, columns.length)] : []));
    }
    ends.set(row.loop, [left, right, y + tall + (norms.length ? 14 : 8)]);
  }
  y = Math.max(...[...ends.values()].map(([, , low]) => low));
  const [low, high] = [coldest, hottest].map((power) => figure(Number((10 ** power).toPrecision(2))));
  const line = norms.length ? `; the thin line is |gradient|, from ${low}, blue, to ${high}, red` : "";
  parts.push(word(Math.min(...lefts), y + 8, `over time: blue is negative, red is positive${line}`, "quiet", "start"));
  y += 32;
  band.replaceChildren(...parts);
  legend.setAttribute("transform", `translate(0 ${y - top})`);
  frame.height = naturalHeight + y - top;
  paper.setAttribute("height", frame.height);
  resize();
};
