// The panel: all there is to say about one node, in words, colours and formulas.

const figure = (value) => { // 0.0000016 is hard to read
  if (typeof value !== "number") return String(value);
  const odd = value && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e9);
  return (odd ? String(Number(value.toExponential(3)).toExponential()) : String(value)).replace(/-/g, "−");
};
const percent = (share) => {
  const value = 100 * share, size = Math.abs(value);
  return `${figure(size && size < 0.1 ? Number(value.toPrecision(1)) : Number(value.toFixed(size < 10 ? 1 : 0)))} %`;
};
let picked = -1;

// --------------------------------------------------------------------------------------------------- heat strips
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

// --------------------------------------------------------------------------------------------------------- facts
const numbersOf = (said) => (said.size === 1 ? figure(said.mean)
  : said.min === undefined ? undefined
    : `${figure(said.min)} … ${figure(said.max)}${said.mean === undefined ? "" : `, mean ${figure(said.mean)}`}`);
const facts = (about, title, seen = {}) => {
  const { values, gradient } = about, leaf = ["parameter", "input", "constant"].includes(about.op);
  const several = gradient && gradient.size !== 1, none = about.op === "parameter" && !gradient ? "not computed" : undefined;
  const rows = [
    ["name", title.endsWith(about.name) ? "" : about.name],
    ["shape", about.shape && `${about.shape} ${about.dtype}`], ["in", seen.place], ["line", about.line],
    [scale, /gradient/.test(scale) && gradient ? undefined : seen.value],
    [values?.size === 1 || typeof values === "string" ? "value" : "values", values && (values.size ? numbersOf(values) : values)],
    [leaf ? ".grad" : "gradient", gradient ? numbersOf(gradient) : none],
    [leaf ? "|.grad|" : "|gradient|", several ? gradient.norm : undefined],
  ].filter(([, value]) => value !== undefined && value !== "");
  const list = make("dl", {}, ...rows.flatMap(([key, value]) => [make("dt", {}, key), make("dd", {}, figure(value))]));
  const strip = (name, said) => (said?.strip?.length > 1 ? [make("h4", {}, name), ...heat(said, about.shape)] : []);
  return [list, ...strip("values", values), ...strip("gradient", gradient)];
};

// ------------------------------------------------------------------------------------------------------ formulas
const put = (formula, named) => formula.replace(/\b[xyzpg]\b/g, (name) => { // numbers in place of names
  const value = named[name];
  return value === undefined ? name : value < 0 ? `(${figure(value)})` : figure(value);
});
const written = [["·", "*"], ["−", "-"], ["²", "**2"], ["^", "**"], ["√", "Math.sqrt"], ["ln", "Math.log"], ["½", "0.5"],
  [" = ", " === "], ["[", "Number("], ["]", ")"]];
const result = (formula, named) => {
  let code = formula.replace(/\b(exp|tanh|sin|cos|max|min)\b/g, "Math.$1");
  for (const [sign, said] of written) code = code.replaceAll(sign, said);
  try {
    const value = Function(...Object.keys(named), `return ${code}`)(...Object.values(named));
    return figure(Number(value.toPrecision(4)));
  } catch { // where a page may not evaluate anything
    return "";
  }
};
const equation = (...parts) => make("p", { className: "equation" }, ...parts.filter(Boolean).join(" = "));
const formulas = ({ mathematics = [], arguments: names = [], first: at = [], terms = [], gradient, shape, rules = [] }) => {
  const [formula, back = []] = mathematics, source = make("details", {}, make("summary", {}, "as the source has it"),
    ...rules.flatMap(([of, lines]) => [make("small", {}, `for ${of}`), make("pre", {}, lines)]));
  if (!formula) return rules.length ? [make("h3", {}, "Gradient rule"), source] : [];
  const [left, right] = formula.split(" = "), g = gradient?.strip?.[0] ?? (gradient?.size === 1 ? gradient.mean : undefined);
  const known = at.length > names.length && at.every(Number.isFinite);
  const named = known ? { [left]: at[0], ...Object.fromEntries(names.map((name, i) => [name, at[i + 1]])) } : {};
  const single = /^[(1, )]*$/.test(shape), which = single ? "" : " (the first of its numbers)";
  const plain = /^[xyzpg]$/.test(left); // elementwise, so that numbers can be put in
  const forth = [equation(left, right)];
  if (plain && known) forth.push(equation(put(right, { ...named, [left]: undefined }), figure(at[0])));
  else if (terms.length && Number.isFinite(at[0])) {
    const products = terms.map(([a, b]) => put("x · y", { x: a, y: b })).join(" + ");
    forth.push(equation(products + (terms.length < 4 ? "" : " + …"), figure(at[0])));
  }
  const rows = back.flatMap((rule, i) => {
    if (!rule) return [];
    const shown = [equation(`∂L/∂${names[i] ?? "xᵢ"}`, rule)];
    if (plain && known && Number.isFinite(g) && /[·/−]/.test(rule)) {
      const all = { ...named, g };
      shown.push(equation(put(rule, all), result(rule, all)));
    } else if (plain && Number.isFinite(g) && rule === "g") shown.push(equation("g", figure(g)));
    return shown;
  });
  return [
    make("h3", {}, `Formula${forth.length > 1 ? which : ""}`), ...forth,
    ...(rows.length ? [make("h3", {}, "Gradient rule"), make("small", {}, `g = ∂L/∂${left}, the gradient that comes back`), ...rows] : []),
    ...(rules.length ? [source] : []),
  ];
};

// -------------------------------------------------------------------------------------------- the uses of a weight
const usesOf = (key) => known.flatMap((item, i) => { // in order of time, those that are left out, too
  if (String(item.parameters) !== key || !item.uses) return [];
  const here = item.uses.map(([user, share]) => ({ id: item.id, step: known[user].step || item.step || "", share }));
  const left = gaps.flatMap(({ before, steps, ids, items: rows }) => (!rows[item.id]?.uses ? []
    : steps.map((step, k) => ({
      id: inside(item.id, before) ? ids[k] + item.id.slice(before.length) : item.id, step, share: rows[item.id].uses[k] }))));
  const all = [...here, ...left], when = ({ step }) => Number(step.match(/-?\d+/)?.[0]);
  return here.length > 1 && !all.some((use) => Number.isNaN(when(use))) ? all.sort((a, b) => when(a) - when(b)) : all;
});
const shareOf = ({ uses }) => uses?.length && uses.reduce((sum, [, share]) => sum + share, 0);
const shares = ({ parameters, id }) => {
  const uses = usesOf(String(parameters)), most = Math.max(...uses.map(({ share }) => Math.abs(share)), 1e-300);
  if (!uses.length) return [];
  const bars = uses.map((use, i) => {
    const high = Math.max(46 * Math.abs(use.share) / most, 0.6), kind = use.share < 0 ? "cold" : "";
    const bar = drawn("rect", { x: i, y: use.share < 0 ? 50 : 50 - high, width: uses.length > 40 ? 1 : 0.8, height: high, class: kind });
    const stripe = drawn("rect", { x: i, y: 0, width: 1, height: 100, class: `stripe${use.id === id ? " here" : ""}` });
    const group = drawn("g", {}, drawn("title", {}), stripe, bar);
    group.firstChild.textContent = `${use.step}: ${percent(use.share)}`;
    group.dataset.id = use.id;
    return group;
  });
  const chart = drawn("svg", { viewBox: `0 0 ${uses.length} 100`, preserveAspectRatio: "none", class: "shares", role: "img" }, ...bars);
  chart.setAttribute("aria-label", "the share of every use, in order of time");
  const top = uses.toSorted((a, b) => Math.abs(b.share) - Math.abs(a.share)).slice(0, 8).map((use) => {
    const button = make("button", {}, use.step || "use", make("small", {}, ` ${percent(use.share)}`));
    button.dataset.id = use.id;
    return make("li", {}, button);
  });
  const ends = make("p", { className: "ends" }, make("span", {}, uses[0].step), make("span", {}, uses.at(-1).step));
  const note = `${uses.length} uses; their shares sum to the gradient. Below the line: against it.`;
  return [make("h3", {}, "Shares of its gradient, by use"), chart, ends, make("small", {}, note), make("ul", {}, ...top)];
};
const mark = (i) => { // what goes with the picked one
  const key = items[i]?.parameters && String(items[i].parameters);
  const alike = key ? items.flatMap((item, j) => (String(item.parameters) === key ? [j] : [])) : [];
  for (const badge of document.querySelectorAll(".badge")) badge.remove();
  dress("is-picked", i < 0 ? [] : [shapes[i]]);
  dress("is-use", alike.map((j) => shapes[j]));
  dress("is-input", linesInto[i] ?? []);
  dress("is-user", (alike.length ? alike : [i]).flatMap((j) => linesOutOf[j] ?? []));
  stage.classList.toggle("shows-uses", alike.length > 1);
  for (const j of alike) {
    const share = shareOf(items[j]), box = shapes[j].querySelector("rect");
    if (share === undefined || share === 0 && !items[j].uses.length) continue;
    const [x, y, w] = ["x", "y", "width"].map((k) => box[k].baseVal.value);
    const badge = drawn("text", { class: "badge", x: x + w / 2, y: y - 5, "font-size": 12, "text-anchor": "middle" });
    badge.textContent = percent(share);
    shapes[j].append(badge);
  }
};

// ------------------------------------------------------------------------------------------------------ the panel
const links = (title, found) => {
  const buttons = [...found].slice(0, 100).map((i) => {
    const { title: name, step } = items[i], button = make("button", {}, name);
    if (step && step !== items[picked].step) button.append(make("small", {}, ` ${step}`));
    button.dataset.id = items[i].id;
    return make("li", {}, button);
  });
  if (found.size > 100) buttons.push(make("li", {}, `and ${found.size - 100} more`));
  return found.size ? [make("h3", {}, title), make("ul", {}, ...buttons)] : [];
};
const tableOf = (item) => gaps.find(({ id, ids }) => inside(item.id, id)
  || (item.twin && ids.some((step) => inside(item.id, step))));
const steer = (item) => { // the slider that chooses which step is shown
  const table = item && tableOf(item), k = table && shown.get(table.id);
  $("stepper").hidden = !table || !opening(table.id);
  if ($("stepper").hidden) return;
  $("which").max = table.steps.length - 1;
  $("which").value = k ?? -1;
  $("which").dataset.gap = table.id;
  $("shown").textContent = k === undefined ? `${range(table.steps)}: none is shown` : `${table.steps[k]} is shown`;
  $("close-gap").hidden = k === undefined;
};
const fill = (i) => {
  const item = told(i), { of = [], about = "" } = item;
  $("who").textContent = item.title;
  steer(items[i]);
  $("facts").replaceChildren(
    make("p", {}, about), ...shares(item), ...facts(item, item.title, item),
    ...of.flatMap((part) => [make("h3", {}, part.name), ...facts(part, part.name)]),
    ...formulas(item), ...links("Made from", inputs[i]), ...links("Used by", users[i]),
  );
};
const pick = (i) => {
  const other = i !== picked;
  picked = i;
  panel.hidden = i < 0;
  mark(i);
  if (i < 0) return remember();
  fill(i);
  if (other) panel.scrollTop = 0;
  here = i;
  reveal(i);
  return remember();
};
const leave = () => {
  const before = shapes[picked];
  pick(-1);
  before?.focus({ preventScroll: true });
};
stage.addEventListener("click", (event) => {
  if (grip?.moved) return;
  const { gap: strip } = event.target.dataset;
  if (strip && opening(strip)) { // a step that is left out, where its column of colours is
    const box = event.target.ownerSVGElement, [from, , count] = box.getAttribute("viewBox").split(" ").map(Number);
    const { left, width: broad } = box.getBoundingClientRect();
    return unfold(strip, from + Math.floor((count * (event.clientX - left)) / broad));
  }
  const i = nodeOf(event.target), card = event.target.closest?.("g.step, g.gap");
  const gap = i === undefined ? tables.get(card?.id) : items[i].role === "middle" && tables.get(items[i].id.slice(0, -1));
  if (gap && opening(gap.id) && !shown.has(gap.id)) {
    unfold(gap.id, Math.floor(gap.steps.length / 2));
    pick(number.get(`${gap.id}#`) ?? -1);
    const step = items.flatMap((item, j) => (item.twin ? [j] : []));
    for (const j of [step.at(-1), step[0]]) reveal(j); // of what is new
  } else if (i === undefined && card?.matches(".step") && picked < 0) {
    const table = gaps.find(({ ids }) => ids.includes(card.id));
    if (table) unfold(table.id);
    else fold(card.id);
  } else pick(i ?? -1);
  return undefined;
});
panel.addEventListener("click", (event) => {
  const button = event.target.closest("button, [data-id]");
  if (button?.id === "close") return leave();
  if (button?.id === "close-gap") return unfold($("which").dataset.gap);
  if (button?.dataset.id) pick(reach(button.dataset.id));
  if (button) panel.focus({ preventScroll: true });
});
$("which").addEventListener("input", () => unfold($("which").dataset.gap, Number($("which").value)));

// ---------------------------------------------------------------------------------------------------- hover cards
const hover = $("hover");
let waiting = 0, pointed; // what the pointer is on
const point = (i) => {
  if (i === pointed) return;
  clearTimeout(waiting);
  pointed = i;
  hover.hidden = true;
  if (i === undefined) return;
  const title = shapes[i].querySelector("title");
  if (title) { // the browser would show it, too
    shapes[i].setAttribute("aria-label", title.textContent);
    title.remove();
  }
  waiting = setTimeout(() => {
    const item = told(i), box = shapes[i].getBoundingClientRect(), share = shareOf(items[i]);
    const lines = [[item.shape, item.dtype].filter(Boolean).join(" "), item.step,
      item.values?.size ? numbersOf(item.values) : "",
      item.gradient?.size === 1 ? `gradient ${figure(item.gradient.mean)}` : "",
      item.gradient && item.gradient.size !== 1 ? `|gradient| ${figure(item.gradient.norm)}` : "",
      share ? `${percent(share)} of the gradient` : ""];
    hover.replaceChildren(make("strong", {}, item.title), ...lines.filter(Boolean).map((line) => make("span", {}, line)));
    hover.hidden = false;
    const { width: w, height: h } = hover.getBoundingClientRect();
    hover.style.left = `${clamp(box.left + box.width / 2 - w / 2, 6, innerWidth - w - 6)}px`;
    hover.style.top = `${box.top - h - 8 < 50 ? box.bottom + 8 : box.top - h - 8}px`;
  }, 250);
};
stage.addEventListener("pointermove", (event) => point(event.pointerType === "mouse" ? nodeOf(event.target) : undefined));
for (const kind of ["pointerleave", "scroll", "pointerdown"]) stage.addEventListener(kind, () => point(undefined));
