// Cards fold to a narrow column, and a gap unfolds to show any of its steps, in place.
// Nothing is laid out again. What lies right of a place moves aside by a card's width: `bend` maps every old x to a new
// one. A step that was left out is a copy of the step before the gap, which is the same ops, with numbers of its own.

const narrow = 40;
const cards = first.clusters.filter((card) => card.matches(".step, .gap")).map((card) => {
  const { x, y, width, height } = boxOf(card);
  return { id: card.id, gap: card.matches(".gap"), left: x, right: x + width, top: y, bottom: y + height, at: y };
});
const cardOf = new Map(cards.map((card) => [card.id, card]));
const tables = new Map(gaps.map((gap) => [gap.id, gap]));
const inside = (id, card) => id.startsWith(`${card}#`) || id.startsWith(`${card}/`) || id.startsWith(`${card}@`);
const homes = known.map(({ id }) => { // the cards around an item, outer first
  const found = [];
  for (let end = id.search(/[#@]|$/); end > 0; end = id.lastIndexOf("/", end - 1)) {
    if (cardOf.has(id.slice(0, end))) found.unshift(id.slice(0, end));
  }
  return found;
});

/** The cards of the same step: above and below, as wide. */
const loopOf = (id) => id.slice(0, id.lastIndexOf("/"));
const column = (card) => cards.filter((other) => other.gap === card.gap && !inside(other.id, card.id)
  && !inside(card.id, other.id) && Math.abs(other.left - card.left) + Math.abs(other.right - card.right) < 80);
const folds = new Set(), shown = new Map(); // ids of folded cards; of unfolded gaps, the number of the step shown

const leftmost = (list, key) => Math.min(...list.map((card) => card[key]));
const rightmost = (list, key) => Math.max(...list.map((card) => card[key]));

/** What unfolding a gap takes: all gaps of the same steps above and below it, the steps before them, and how far all else has to move. */
const opening = (id) => {
  const steps = String(tables.get(id)?.steps);
  const here = column(cardOf.get(id)).filter((gap) => String(tables.get(gap.id)?.steps) === steps);
  const found = here.map((gap) => tables.get(gap.id));
  if (found.includes(undefined)) return null;
  const before = found.map((table) => cardOf.get(table.before));
  if (before.some((card) => !card)) return null;
  const [left, right] = [leftmost(here, "left"), rightmost(here, "right")];
  const from = rightmost(before, "right");
  if (from > left + 1) return null; // time runs in another direction here
  const after = here.map((gap) => cards.filter((card) => loopOf(card.id) === loopOf(gap.id) && card.left >= right - 1)
    .reduce((near, card) => (near && near.left <= card.left ? near : card), null));
  const next = after[0]?.left ?? 2 * left - leftmost(before, "left");
  return { gaps: found, before, x: (from + left) / 2, right, next, from: leftmost(before, "left"), to: from,
    width: next - leftmost(before, "left"), after };
};

// ------------------------------------------------------------------------------------------------ moving things
const round = (value) => Math.round(value * 10) / 10;
const shift = (piece, dx) => {
  if (dx) piece.setAttribute("transform", `translate(${round(dx)} 0)`);
  else piece.removeAttribute("transform");
};
const moveShape = (shape, bend) => {
  const box = shape.querySelector("rect"), x = box.x.baseVal.value + box.width.baseVal.value / 2;
  shape.moved = round(bend(x) - x);
  shift(shape, shape.moved);
};
const moveCard = (card, bend) => {
  const box = card.querySelector("rect"), label = card.querySelector("text");
  card.plain ??= { x: box.x.baseVal.value, width: box.width.baseVal.value };
  const { x, width } = card.plain, left = bend(x);
  box.setAttribute("x", round(left));
  box.setAttribute("width", round(bend(x + width) - left));
  if (label) label.setAttribute("x", round(left + 14));
  card.classList.toggle("folded", folds.has(card.id));
  if (label) label.removeAttribute("transform");
  if (label && folds.has(card.id)) {
    label.setAttribute("transform", `rotate(90 ${round(left + 14)} ${label.getAttribute("y")})`);
  }
};
const points = (path) => [...path.matchAll(/(-?[\d.]+),(-?[\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)]);
/** Move a line; its end at `far`, "source" or "target", goes where things go that do not belong to the step. */
const moveLine = (line, bend, far = "", beyond = bend) => {
  line.turned = false;
  for (const piece of line.children) {
    piece.plain ??= piece.getAttribute("d") ?? "";
    if (!piece.matches(".line")) {
      if (piece.plain) piece.setAttribute("d", piece.plain);
      const x = Number(piece.getAttribute("x") ?? piece.plain.match(/-?[\d.]+/)[0]);
      shift(piece, (far === "target" ? beyond : bend)(x) - x);
      continue;
    }
    let path = piece.plain, way = points(path);
    if (far && way.length === 2) { // a straight one would become a slope
      const [[x, y], [u, v]] = way, middle = (y + v) / 2;
      path = `M${x},${y}C${x},${middle},${u},${middle},${u},${v}`;
      way = points(path);
    }
    const end = far === "source" ? [0, 1] : far ? [way.length - 1, way.length - 2] : [];
    const ends = end.filter((i) => Math.abs(way[i][0] - way[end[0]][0]) < 0.1);
    let i = 0;
    piece.setAttribute("d", path.replace(/(-?[\d.]+),(-?[\d.]+)/g, (_, x, y) =>
      `${round((ends.includes(i++) ? beyond : bend)(Number(x)))},${y}`));
  }
};
const copy = (element, id) => {
  const twin = element.cloneNode(true);
  twin.removeAttribute("class");
  twin.setAttribute("class", element.getAttribute("class").replace(/ ?\bis-\w+/g, ""));
  if (id) twin.id = id;
  for (const [i, piece] of [...element.children].entries()) {
    twin.children[i].plain = piece.plain;
    if (piece.style.stroke !== "none") twin.children[i].removeAttribute("style"); // numbers of another step
  }
  twin.plain = element.plain;
  return twin;
};

// ------------------------------------------------------------------------------------------------- numbers of a step
const unpacked = (columns, k, like) => { // the summary of a step in a gap
  if (!columns) return undefined;
  const { wide, strips, ...rows } = columns;
  const said = Object.fromEntries(Object.entries(rows).map(([name, row]) => [name, row[k]]));
  return { size: like?.size, ...said, strip: wide ? stripOf(columns, k, said) : undefined };
};
const stripOf = (columns, k, { min, max }) => {
  columns.bytes ??= Uint8Array.from(atob(columns.strips), (letter) => letter.charCodeAt(0));
  const row = columns.bytes.subarray(k * columns.wide, (k + 1) * columns.wide), top = Math.max(...row) && peak(min, max);
  const most = Math.max(...[...row].map((level) => (level ? Math.abs(level - 128) : 0)), 1);
  return [...row].map((level) => (level ? Number((((level - 128) / most) * top).toPrecision(2)) : "nan"));
};
const peak = (min, max) => Math.max(Math.abs(min), Math.abs(max)) || 0;
const stepOf = (table, k, item, title) => { // an item of the step before the gap, as it is in this one
  const row = table.items[item.id] ?? {}, values = text(item, "values"), gradient = text(item, "gradient");
  const now = { id: table.ids[k] + item.id.slice(table.before.length), step: title, twin: item.id,
    place: text(item, "place")?.replace(item.step, title) };
  if (row.values?.wide) now.values = unpacked(row.values, k, values);
  if (row.gradient?.norm) now.gradient = unpacked(row.gradient, k, gradient);
  if (row.first) now.first = row.first[k];
  if (row.uses) now.uses = [[-1, row.uses[k]]];
  if (row.values) [now.terms, now.value] = [undefined, undefined];
  return { ...item, ...now };
};
const paintNorm = (norm, shape, ...around) => { // as the picture shows a gradient
  if (!/gradient/.test(scale) || !bounds.length || !Number.isFinite(norm)) return;
  const [low, high] = bounds.map(Math.log10), share = clamp((Math.log10(norm) - low) / (high - low), 0, 1);
  const colour = norm ? `rgb(${tint(share)})` : nothing, thick = 0.6 + 4.4 * share;
  shape?.querySelector("rect").setAttribute("style", `stroke:${colour};stroke-width:${round(1 + thick / 2)}`);
  for (const line of around) {
    line.querySelector(".line").setAttribute("style", `stroke:${colour};stroke-width:${round(Math.max(thick, 1))}`);
    line.querySelector(".head").setAttribute("style", `fill:${colour}`);
  }
};
const range = (titles) => {
  if (!titles.length) return "";
  const [from, to] = [titles[0], titles.at(-1)], numbers = [from, to].map((title) => title.match(/-?\d+/)?.[0]);
  return titles.length === 1 ? from
    : numbers.includes(undefined) ? `${from} … ${to}` : from.replace(/-?\d+/, `${numbers[0]} … ${numbers[1]}`);
};
const label = (box, titles) => { // what stands in a gap, of which one step is shown, or none: as it was drawn
  const lines = [...box.querySelectorAll("text")], count = titles?.length;
  box.lines ??= lines.map((line) => line.textContent);
  const said = !titles ? box.lines : count ? ["⋯", `${count} identical step${count > 1 ? "s" : ""}`, range(titles)]
    : ["", "no step between", ""];
  lines.forEach((line, i) => { line.textContent = said[i] ?? ""; });
};

// ----------------------------------------------------------------------------------------------------- the scene
let natural = frame.width; // without what unfolds
const legendWidth = Math.max(0, ...[...legend.querySelectorAll("rect, text")].map((piece) => Number(piece.getAttribute("x"))
  + Number(piece.getAttribute("width") ?? 0) - frame.x)) + 30;
let bent = false; // whether anything was ever moved
const arrange = () => {
  const share = frames.length ? now / frames.length : 0; // of the play
  if (frames.length) show(0);
  const openings = [...new Map([...shown].map(([id, k]) => [opening(id), k]))].filter(([open]) => open)
    .filter(([open], i, all) => all.findIndex(([other]) => other.gaps[0].id === open.gaps[0].id) === i);
  const folded = cards.filter((card) => folds.has(card.id));
  const intervals = [...new Map(folded.map((card) => [card.left, card])).values()].filter((card, i, all) =>
    !all.some((other, j) => (j < i ? other.left <= card.left + 40 && other.right >= card.left + 40 : false)));
  const bend = (x) => {
    let now = x;
    for (const { left, right } of intervals) {
      if (x > left) now -= (Math.min(x, right) - left) * (1 - narrow / (right - left));
    }
    for (const [open] of openings) if (x > open.x) now += open.width;
    return now;
  };
  bent ||= openings.length > 0 || intervals.length > 0;
  const scene = { items: [], shapes: [], clusters: [], lines: [], ends: [], loose: [] };
  const at = new Map(), hidden = (id) => folded.some((card) => inside(id, card.id));
  const add = (item, shape) => scene.shapes.push(shape) && scene.items.push(item) - 1;
  const sides = new Map(); // of an item in an opened column: which opening, and on which side
  known.forEach((item, i) => {
    if (folded.length && hidden(item.id)) return;
    if (bent) moveShape(first.shapes[i], bend);
    at.set(i, add(item, first.shapes[i]));
    for (const [open, k] of openings) {
      const j = open.gaps.findIndex((gap) => inside(item.id, gap.before));
      if (j >= 0) sides.set(i, { open, k, side: "step", table: open.gaps[j] });
      if (open.gaps.some((gap) => inside(item.id, gap.id))) sides.set(i, { open, k, side: "gap" });
    }
  });
  for (const cluster of first.clusters) {
    if (hidden(cluster.id)) continue;
    if (bent) moveCard(cluster, bend);
    scene.clusters.push(cluster);
  }

  // The copies: of the gap, which stays where it was, and of the step, which comes after it.
  const near = new Map(), steps = new Map(); // numbers of copies, by the number of what they are a copy of
  for (const [open, k] of openings) {
    open.edge = bend(open.x - 1e-6) - open.x; // how the place of the gap moves, and what follows without it
    const kept = (x) => x + open.edge;
    const moved = (x) => x + open.edge + open.width;
    Object.assign(open, { kept, moved });
    for (const { id, before: card, ids, steps: titles } of open.gaps) {
      for (const cluster of first.clusters) {
        const own = cluster.id === card || inside(cluster.id, card);
        if (own || cluster.id === id) {
          const twin = copy(cluster, own ? ids[k] + cluster.id.slice(card.length) : `${id}~`);
          moveCard(twin, own ? moved : kept);
          const title = twin.querySelector("text");
          if (cluster.id === card && title) title.textContent = titles[k];
          scene.clusters.push(twin);
        }
      }
      known.forEach((item, i) => {
        const side = sides.get(i);
        if (side?.open !== open) return;
        if (side.side === "step" && side.table.id === id) {
          const now = stepOf(side.table, k, item, titles[k]), shape = copy(first.shapes[i], now.id);
          moveShape(shape, moved);
          paintNorm(text(now, "gradient")?.norm, item.uses ? null : shape);
          steps.set(i, add(now, shape));
        } else if (inside(item.id, id)) {
          const shape = copy(first.shapes[i], `${item.id}~`);
          moveShape(shape, kept);
          if (item.role === "middle") {
            label(shape, titles.slice(0, k));
            label(first.shapes[i], titles.slice(k + 1));
          }
          near.set(i, add({ ...item, id: `${item.id}~` }, shape));
        }
      });
    }
  }
  for (const { id } of gaps) {
    if (!shown.has(id)) label(first.shapes[numberOf.get(`${id}#`)]);
  }
  const line = (element, from, to, path, far) => {
    if (bent) moveLine(element, path, far, bend);
    if (from === undefined || to === undefined) return scene.loose.push(element); // to or from a folded card
    scene.lines.push(element);
    return scene.ends.push([from, to]);
  };
  const out = new Map();
  for (const [a] of first.ends) out.set(a, (out.get(a) ?? 0) + 1);
  const counterpart = (i, open) => { // of an item in the step after a gap, the one in the step that is shown
    const card = open.after.find((each) => each && inside(known[i].id, each.id));
    const table = card && open.gaps[open.after.indexOf(card)];
    const twin = table && numberOf.get(table.before + known[i].id.slice(card.id.length));
    return twin === undefined ? undefined : steps.get(twin);
  };
  first.ends.forEach(([a, b], e) => {
    const element = first.lines[e], one = sides.get(a), other = sides.get(b), side = one ?? other;
    if (folded.some(({ id }) => inside(known[a].id, id) && inside(known[b].id, id))) return undefined;
    if (!side || (one && other && one.open !== other.open)) return line(element, at.get(a), at.get(b), bend);
    const { open } = side, { kept, moved } = open, kinds = [one?.side ?? "far", other?.side ?? "far"].join(" ");
    const local = (from, to, inner) => (x) => (x >= from && x <= to ? inner(x) : bend(x));
    const there = one ? b : a, far = one ? "target" : "source"; // the other end
    const own = () => { // what goes along the only line from an op is its gradient
      const line = copy(element), norm = steps.has(a) && text(scene.items[steps.get(a)], "gradient")?.norm;
      if (out.get(a) === 1 && !known[a].uses) paintNorm(norm, null, line);
      return line;
    };
    if (kinds === "step step") {
      line(own(), steps.get(a), steps.get(b), moved);
    } else if (kinds === "step gap" || kinds === "gap step") {
      const pick = (i, table) => table.get(i) ?? at.get(i);
      line(copy(element), pick(a, near), pick(b, near), (x) => (x > open.x ? kept(x) : bend(x)));
      return line(element, pick(a, steps), pick(b, steps), (x) => (x > open.x ? bend(x) : moved(x)));
    } else if (kinds === "gap gap") {
      line(copy(element), near.get(a), near.get(b), kept);
    } else if (side.side === "gap") {
      const twin = counterpart(there, open), ends = one ? [near.get(a), twin ?? at.get(b)] : [twin ?? at.get(a), near.get(b)];
      if (twin !== undefined) line(copy(element), ...ends, kept);
      else if (!open.after.some((card) => card && inside(known[there].id, card.id))) {
        line(copy(element), ...ends, local(open.x, open.right, kept), far);
      }
    } else {
      const earlier = homes[there].length && boxRight(homes[there]) <= open.from + 1;
      if (!earlier) {
        const ends = one ? [steps.get(a), at.get(b)] : [at.get(a), steps.get(b)];
        line(one ? own() : copy(element), ...ends, local(open.from, open.to, moved), far);
      }
    }
    line(element, at.get(a), at.get(b), bend);
  });

  // The play: what is hidden is left out; the copies come when their step does.
  const framesOf = (frames, ahead) => {
    let found = frames.map((frame) => frame.map((i) => at.get(i)).filter((i) => i !== undefined));
    if (openings.length) found = withCopies(frames, found, ahead);
    return found.filter((frame) => frame.length);
  };
  const withCopies = (frames, found, ahead) => {
    const result = [];
    const doneFor = new Set();
    frames.forEach((frame, f) => {
      const side = frame.map((i) => sides.get(i)).find((s) => s?.side === "gap");
      const gap = side && side.open.gaps.find(({ id }) => frame.some((i) => inside(known[i].id, id)));
      if (!gap) return result.push(found[f]);
      if (doneFor.has(gap.id)) return undefined;
      doneFor.add(gap.id);
      const of = (id, table) => frames.map((each) => each.filter((i) => inside(known[i].id, id)).map((i) => table.get(i)))
        .map((each) => each.filter((i) => i !== undefined));
      const parts = [of(gap.id, near), of(gap.before, steps), of(gap.id, at)];
      return result.push(...(ahead ? parts : parts.reverse()).flat());
    });
    return result;
  };
  scene.forward = framesOf(played.forward, true);
  scene.backward = framesOf(played.backward, second !== "backward");

  frame.width = Math.max(bend(frame.x + natural) - frame.x, openings.length ? 0 : legendWidth);
  paper.setAttribute("width", frame.width);
  resize();
  connect(scene);
  strips(bend, openings);
  restart(scene, share);
  settle();
  uncoverNear();
};
const boxRight = (ids) => Math.max(...ids.map((id) => cardOf.get(id).right));

// ------------------------------------------------------------------------------------------------- what a reader does
const keepPicked = (change) => {
  const { id, twin } = items[picked] ?? {};
  picked = -1; // numbers change
  change();
  arrange();
  const same = number.get(id) ?? (twin ? items.findIndex((item) => item.twin === twin) : -1); // or in another step
  if (same < 0) return pick(-1);
  [picked, here] = [same, same];
  fill(same);
  mark(same);
  return remember();
};
const fold = (id) => keepPicked(() => {
  const card = cardOf.get(id), together = card ? column(card) : [];
  const all = together.every((other) => folds.has(other.id));
  for (const other of together) folds[all ? "delete" : "add"](other.id);
});
const unfold = (id, k) => keepPicked(() => { // k undefined: closed again
  const group = opening(id)?.gaps ?? [];
  for (const gap of group) {
    if (k === undefined) shown.delete(gap.id);
    else shown.set(gap.id, clamp(k, 0, gap.steps.length - 1));
  }
});
/** Make sure that the item of this id is there: of a folded card or of a step that was left out. Return its number. */
const reach = (id) => {
  if (number.has(id)) return number.get(id);
  const card = cards.find((each) => folds.has(each.id) && inside(id, each.id));
  if (card) fold(card.id);
  for (const table of gaps) {
    const k = table.ids.findIndex((step) => inside(id, step));
    if (k >= 0) unfold(table.id, k);
  }
  return number.get(id) ?? -1;
};
