// What is shown now: all that was drawn, without what is folded, and with a copy of the step before a gap, and of the
// gap itself, for every gap that is unfolded. What lies right of a place moves aside.
//
//     before    [step 2]  [    gap 3 … 998    ]  [step 999]
//     after     [step 2]  [gap 3 … 500: a copy]  [step 501: a copy of step 2]  [gap 502 … 998]  [step 999]

const narrow = 40;
let natural = frame.width; // without what unfolds
const ends = [...legend.querySelectorAll("rect, text")].map((piece) =>
  Number(piece.getAttribute("x")) + Number(piece.getAttribute("width") ?? 0));
const least = Math.max(0, ...ends.map((x) => x - frame.x)) + 30; // so that the legend has room
const readersOf = new Map(); // how many lines leave an item
for (const [source] of first.ends) readersOf.set(source, (readersOf.get(source) ?? 0) + 1);
let bent = false; // whether anything was ever moved

const emptyScene = () => {
  const openings = [];
  for (const [id, k] of shown) {
    if (!openings.some(({ gaps: found }) => found.some((gap) => gap.id === id))) openings.push({ ...opening(id), k });
  }
  const folded = cards.filter(({ id }) => folds.has(id));
  const columns = folded.filter((card, i) =>
    !folded.slice(0, i).some((other) => Math.abs(other.left - card.left) < 40));
  const bend = (x) => {
    let moved = x;
    for (const { left, right } of columns) {
      if (x > left) moved -= (Math.min(x, right) - left) * (1 - narrow / (right - left));
    }
    for (const open of openings) if (x > open.x) moved += open.width;
    return moved;
  };
  for (const open of openings) { // the copy of the gap stays where the gap was, that of the step follows
    const edge = bend(open.x - 1e-6) - open.x;
    open.kept = (x) => x + edge;
    open.moved = (x) => x + edge + open.width;
  }
  bent ||= openings.length + folded.length > 0;
  return {
    openings, folded, bend, items: [], shapes: [], clusters: [], lines: [], ends: [], loose: [],
    at: new Map(), near: new Map(), steps: new Map(), // numbers of items: as drawn, copies of a gap, copies of a step
    sides: new Map(), // of items in an opened column: which opening, and whether they are in the step or in the gap
  };
};
const add = (scene, item, shape) => scene.shapes.push(shape) && scene.items.push(item) - 1;
const isHidden = ({ folded }, id) => folded.some((card) => inside(id, card.id));

const placeDrawn = (scene) => {
  const { openings, bend, at, sides } = scene;
  known.forEach((item, i) => {
    for (const open of openings) {
      if (open.gaps.some(({ before }) => inside(item.id, before))) sides.set(i, { open, side: "step" });
      if (open.gaps.some(({ id }) => inside(item.id, id))) sides.set(i, { open, side: "gap" });
    }
    if (isHidden(scene, item.id)) return;
    if (bent) (bars.has(i) ? stretch : moveShape)(first.shapes[i], bend);
    at.set(i, add(scene, item, first.shapes[i]));
  });
  for (const cluster of first.clusters.filter(({ id }) => !isHidden(scene, id))) {
    if (bent) moveCard(cluster, bend);
    scene.clusters.push(cluster);
  }
  gapOf.forEach((id, i) => { if (id && !shown.has(id)) label(first.shapes[i]); });
};

const stepIn = (card) => known.find(({ id, step }) => step && inside(id, card))?.step;
/** An item of the copy of a gap: a value that leaves it has the numbers of the step before the one that is shown. */
const copyInGap = (item, i, shape, table, k) => {
  const { before, steps: titles } = table;
  const j = first.ends.find(([a, b]) => b === i && inside(known[a].id, before))?.[0];
  const beside = { all: titles, left: stepIn(before), right: titles[k] }, now = { ...item, id: `${item.id}~` };
  const said = label(shape, titles.slice(0, k), beside, first.shapes[i]);
  if (item.role !== "passing") return now;
  const from = j === undefined || !k ? known[j] ?? {} : stepOf(table, k - 1, known[j], titles[k - 1]);
  for (const key of ["values", "gradient", "shape", "dtype"]) now[key] = text(from, key);
  const several = readersOf.get(j) > 1; // lines, each with a share in the gradient
  Object.assign(now, { title: said, value: undefined, several });
  paintNorm(now.gradient?.norm, shape);
  shape.querySelector("title").textContent = said;
  return now;
};
const placeCopies = (scene, { k, kept, moved, gaps: opened, after }, table) => {
  const { id, before, ids, steps: titles } = table, next = stepIn(after[opened.indexOf(table)]?.id);
  for (const cluster of first.clusters) {
    const own = cluster.id === before || inside(cluster.id, before);
    if (!own && cluster.id !== id) continue;
    const twin = copy(cluster, own ? ids[k] + cluster.id.slice(before.length) : `${id}~`);
    moveCard(twin, own ? moved : kept);
    if (cluster.id === before) twin.querySelector("text").textContent = titles[k];
    scene.clusters.push(twin);
  }
  known.forEach((item, i) => {
    if (inside(item.id, before)) {
      const now = stepOf(table, k, item, titles[k]), shape = copy(first.shapes[i], now.id);
      moveShape(shape, moved);
      if (!item.uses) paintNorm(text(now, "gradient")?.norm, shape);
      scene.steps.set(i, add(scene, now, shape));
    } else if (inside(item.id, id)) {
      const shape = copy(first.shapes[i], `${item.id}~`);
      moveShape(shape, kept);
      scene.near.set(i, add(scene, copyInGap(item, i, shape, table, k), shape));
      label(first.shapes[i], titles.slice(k + 1), { all: titles, left: titles[k], right: next });
    }
  });
};

// ------------------------------------------------------------------------------------------------------- the lines
const placeLine = (scene, element, from, to, bend, far) => {
  if (bent) moveLine(element, bend, far, scene.bend);
  if (from === undefined || to === undefined) return scene.loose.push(element); // to or from a folded card
  scene.lines.push(element);
  return scene.ends.push([from, to]);
};
const copyOfLine = (scene, element, a) => { // what goes along the only line from an op is its gradient
  const line = copy(element), item = scene.items[scene.steps.get(a) ?? scene.near.get(a)] ?? {};
  if (bounds.length && !line.matches(".cut")) line.setAttribute("class", "edge pale"); // as long as nothing is known
  const alone = readersOf.get(a) === 1 && !item.uses && !item.several;
  if (alone) paintNorm(text(item, "gradient")?.norm, null, line);
  return line;
};
const counterpart = (scene, i, { after, gaps: found }) => { // of an item after a gap: the copy in the step shown
  const j = after.findIndex((card) => card && inside(known[i].id, card.id));
  return j < 0 ? undefined : scene.steps.get(numberOf.get(found[j].before + known[i].id.slice(after[j].id.length)));
};
const placeLines = (scene, element, [a, b]) => {
  const { at, near, steps, sides, bend } = scene, [one, other] = [sides.get(a), sides.get(b)];
  const gone = scene.folded.some(({ id }) => inside(known[a].id, id) && inside(known[b].id, id));
  if (!gone) placeLine(scene, element, at.get(a), at.get(b), bend);
  const { open, side } = one ?? other ?? {};
  if (!open || (one && other && one.open !== other.open)) return;
  const { kept, moved } = open, within = (left, right, inner) => (x) => (x >= left && x <= right ? inner(x) : bend(x));
  if (one && other && one.side === other.side) { // within the step, or within the gap
    const twins = side === "step" ? steps : near;
    placeLine(scene, copyOfLine(scene, element, a), twins.get(a), twins.get(b), side === "step" ? moved : kept);
  } else if (one && other) { // between them: from the step to the copy of the gap, from the copy of the step to the gap
    const pick = (i) => steps.get(i) ?? at.get(i), last = scene.lines.length - 1;
    if (at.has(a) && at.has(b)) scene.ends[last] = [near.get(a) ?? at.get(a), near.get(b) ?? at.get(b)];
    moveLine(element, (x) => (x > open.x ? kept(x) : bend(x)));
    placeLine(scene, copyOfLine(scene, element, a), pick(a), pick(b), (x) => (x > open.x ? bend(x) : moved(x)));
  } else {
    const there = one ? b : a, far = one ? "target" : "source", own = side === "step" ? steps : near;
    const twin = side === "gap" ? counterpart(scene, there, open) : undefined, line = copyOfLine(scene, element, a);
    const pair = [own.get(one ? a : b), twin ?? at.get(there)], joined = one ? pair : pair.reverse();
    const next = open.after.some((card) => card && inside(known[there].id, card.id));
    const earlier = homes[there].some((id) => cardOf.get(id).right <= open.from + 1);
    if (bars.has(there)) placeLine(scene, line, ...joined, side === "gap" ? kept : moved);
    else if (twin !== undefined) placeLine(scene, line, ...joined, kept);
    else if (side === "gap" && !next) placeLine(scene, line, ...joined, within(open.x, open.right, kept), far);
    else if (side === "step" && !earlier) placeLine(scene, line, ...joined, within(open.from, open.to, moved), far);
  }
};

// -------------------------------------------------------------------------------------------------------- the play
const framesOf = ({ at, near, steps, sides, openings }, frames, ahead) => { // copies come when their gap does
  const of = (card, table) => frames.map((frame) =>
    frame.filter((i) => inside(known[i].id, card)).map((i) => table.get(i)));
  const done = new Set();
  const found = frames.flatMap((frame) => {
    const i = openings.length ? frame.find((each) => sides.get(each)?.side === "gap") : undefined;
    const gap = i !== undefined && sides.get(i).open.gaps.find(({ id }) => inside(known[i].id, id));
    if (!gap) return [frame.map((each) => at.get(each))];
    if (done.has(gap.id)) return [];
    done.add(gap.id);
    const parts = [of(gap.id, near), of(gap.before, steps), of(gap.id, at)];
    return (ahead ? parts : parts.reverse()).flat();
  });
  return found.map((frame) => frame.filter((i) => i !== undefined)).filter((frame) => frame.length);
};

const arrange = () => {
  const share = frames.length ? now / frames.length : 0; // of the play
  if (frames.length) show(0);
  const scene = emptyScene();
  placeDrawn(scene);
  for (const open of scene.openings) for (const table of open.gaps) placeCopies(scene, open, table);
  first.ends.forEach((pair, i) => placeLines(scene, first.lines[i], pair));
  scene.forward = framesOf(scene, played.forward, true);
  scene.backward = framesOf(scene, played.backward, second !== "backward");
  frame.width = Math.max(scene.bend(frame.x + natural) - frame.x, least);
  paper.setAttribute("width", frame.width);
  resize();
  connect(scene);
  strips(scene.bend, scene.openings);
  restart(scene, share);
  setTabStop();
  uncoverNear();
};
