// States and gates over time, under the columns: each step a column of colours, also the steps that are left out.

const band = drawn("g", { id: "strips" });
legend.before(band);
const stateLines = first.lines.filter((line) => line.matches(".state"));
const carried = new Set(stateLines.map((line) => line.dataset.source));
const rowsOf = () => { // by loop and name, what to show of every card
  const loops = Map.groupBy(cards, ({ id }) => loopOf(id));
  const rows = new Map();
  known.forEach((item, i) => {
    const card = homes[i].at(-1), values = text(item, "values");
    const shows = ["state", "gate"].includes(item.role) || carried.has(item.id);
    if (!card || cardOf.get(card).gap || !shows || !(values?.strip?.length > 0)) return;
    const loop = loopOf(card), key = `${loop}|${item.name ?? item.op}`;
    if (!rows.has(key)) rows.set(key, { loop, name: item.name ?? item.op, rank: item.role === "gate", cells: new Map() });
    rows.get(key).cells.set(card, i);
  });
  const order = [...loops.keys()];
  return [...rows.values()].filter(({ cells }) => cells.size > 1)
    .sort((a, b) => order.indexOf(a.loop) - order.indexOf(b.loop) || a.rank - b.rank);
};
const rows = rowsOf();
const margin = Math.max(...rows.map(({ name }) => 7 * name.length + 14)) - (Math.min(...cards.map(({ left }) => left)) - frame.x);
if (rows.length && margin > 0) { // room for their names
  frame.x -= margin;
  frame.width = natural += margin;
  paper.setAttribute("x", frame.x);
}
const short = ({ strip = [], size } = {}) => { // as steps in a gap have it
  const every = size > 64 ? 4 : Math.ceil(size / 16);
  return strip.length > 16 ? strip.filter((_, i) => i % every === 0) : strip;
};
const ofStep = (item) => ({ values: short(text(item, "values")), norm: text(item, "gradient")?.norm });
const ofGap = (table, item, from = 0, to = undefined) => table.steps.slice(from, to).map((_, j) => {
  const { values, gradient } = stepOf(table, from + j, item, "");
  return { values: values?.strip ?? [], norm: gradient?.norm };
});
const painted = new Map(); // by what it shows: going through steps would be slow otherwise
const paint = (key, columns, high, colour) => { // an image of one pixel for each number
  if (!painted.has(key)) painted.set(key, pixels(columns, high, colour));
  return painted.get(key);
};
const pixels = (columns, high, colour) => {
  const canvas = make("canvas", { width: Math.max(columns.length, 1), height: high }), context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, high);
  columns.forEach((column, x) => {
    for (let y = 0; y < high; y++) image.data.set([...colour(column, y), 255], 4 * (y * canvas.width + x));
  });
  context.putImageData(image, 0, 0);
  return canvas.toDataURL();
};
let lastStrips = null;
const strips = (bend, openings) => {
  lastStrips = [bend, openings];
  if (!rows.length) return;
  const ground = isDark() ? rgb("#222A33") : rgb("#F6F7F9"), hot = isDark() ? rgb("#FF7A4D") : rgb("#CC4419");
  const cold = isDark() ? rgb("#58B4E4") : rgb("#26789B"), parts = [];
  let y = top;
  const norms = [];
  const pieces = rows.map((row) => {
    const places = []; // [left, right, columns, key, and of a gap its first step]
    const template = [...row.cells.values()].at(-1);
    for (const card of cards.filter(({ id }) => loopOf(id) === row.loop)) {
      const left = bend(card.left), right = bend(card.right);
      if (!card.gap) {
        if (row.cells.has(card.id)) places.push([left, right, [ofStep(known[row.cells.get(card.id)])], card.id]);
        continue;
      }
      const table = tables.get(card.id), i = table && row.cells.get(table.before);
      if (i === undefined) continue;
      const open = openings.find(([each]) => each.gaps.includes(table));
      if (!open) places.push([left, right, ofGap(table, known[i]), card.id, 0]);
      else {
        const [{ kept, moved, before }, k] = open, own = before[open[0].gaps.indexOf(table)];
        places.push([kept(card.left), kept(card.right), ofGap(table, known[i], 0, k), `${card.id}<${k}`, 0]);
        places.push([moved(own.left), moved(own.right), ofGap(table, known[i], k, k + 1), `${card.id}=${k}`]);
        places.push([left, right, ofGap(table, known[i], k + 1), `${card.id}>${k}`, k + 1]);
      }
    }
    const all = places.flatMap(([, , columns]) => columns);
    norms.push(...all.map(({ norm }) => norm).filter((norm) => norm > 0));
    const most = all.reduce((m, { values }) => values.reduce((n, v) => Math.max(n, Math.abs(v) || 0), m), 0) || 1;
    return { row, places: merged(places), most, high: Math.max(...all.map(({ values }) => values.length), 1), template };
  });
  const log = norms.map(Math.log10), [low, high_] = log.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [0, -300]);
  const floor = Math.max(low, high_ - 12), reach_ = Math.max(high_ - floor, 1e-9);
  let loop = "";
  for (const { row, places, most, high } of pieces) {
    if (row.loop !== loop && new Set(rows.map((each) => each.loop)).size > 1) {
      const path = row.loop.split("/").filter((part) => /^(layer|direction)/.test(part)).map((part) => part.replace("direction-", "").replace("-", " "));
      parts.push(word(places[0][0], y + 10, path.join(" · ") || "loop", "quiet", "start"));
      y += 20;
    }
    loop = row.loop;
    const tall = clamp(3 * high, 14, 36);
    parts.push(word(places[0][0] - 8, y + tall / 2 + 4, row.name, "", "end"));
    for (const [left, right, columns, part, from] of places) {
      const key = [row.loop, row.name, part, isDark()].join();
      if (!columns.length) continue;
      const colour = ({ values }, j) => {
        const v = values[Math.floor((j * values.length) / high)];
        return Number.isFinite(v) ? between(ground, v < 0 ? cold : hot, Math.abs(v) / most) : ground;
      };
      const strip = image(left, y, right - left, tall, paint(key, columns, high, colour));
      if (from !== undefined) Object.assign(strip.dataset, { gap: part.replace(/[<>]\d+$/, ""), from, count: columns.length });
      parts.push(strip);
      if (norms.length) {
        const shade = ({ norm }) => (norm > 0 ? tint((Math.log10(norm) - floor) / reach_) : ground);
        parts.push(image(left, y + tall + 2, right - left, 4, paint(`|${key}`, columns, 1, shade)));
      }
    }
    y += tall + (norms.length ? 14 : 8);
  }
  const note = `over time: blue is negative, red is positive${norms.length ? "; the thin line is |gradient|, from blue (small) to red (large)" : ""}`;
  const x = pieces[0].places[0][0];
  parts.push(word(x, y + 8, note, "quiet", "start"));
  y += 18;
  band.replaceChildren(...parts);
  const more = y - top + 14;
  legend.setAttribute("transform", `translate(0 ${more})`);
  frame.height = naturalHeight + more;
  paper.setAttribute("height", frame.height);
  resize();
};
const naturalHeight = frame.height;
const heights = [...legend.querySelectorAll("rect, text")].map((piece) => Number(piece.getAttribute("y")));
const top = Math.min(...heights, frame.y + frame.height - 40); // where the legend was
const merged = (places) => { // very many cards side by side are one image
  if (places.length < 60 || places.some(([, , columns]) => columns.length > 1)) return places;
  const pitch = places[1][0] - places[0][0];
  return [[places[0][0], places.at(-1)[0] + pitch, places.flatMap(([, , columns]) => columns), "all"]];
};
const word = (x, y, said, kind, anchor) => {
  const element = drawn("text", { x, y, "font-size": 12, "text-anchor": anchor, class: kind });
  element.textContent = said;
  return element;
};
const image = (x, y, w, h, href) => drawn("image", { x, y, width: Math.max(w, 1), height: h, href, preserveAspectRatio: "none" });
