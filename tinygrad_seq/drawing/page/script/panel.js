// The panel: all there is to say about the node that was picked.

let picked = -1;

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
  if (drag?.moved) return;
  const { gap: strip } = event.target.dataset;
  if (strip && opening(strip)) { // a step that is left out, where its column of colours is
    const box = event.target.ownerSVGElement, [from, , count] = box.getAttribute("viewBox").split(" ").map(Number);
    const { left, width: broad } = box.getBoundingClientRect();
    return unfold(strip, from + Math.floor((count * (event.clientX - left)) / broad));
  }
  const i = nodeOf(event.target), card = event.target.closest?.("g.step, g.gap");
  const gap = tables.get(i === undefined ? card?.id : items[i].role === "middle" ? items[i].id.slice(0, -1) : "");
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
