// Cards fold to a narrow column, and a gap unfolds to show any of its steps, in place.

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
