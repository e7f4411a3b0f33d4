// The cards of steps and gaps: which stand above each other, and which are folded or unfolded.

const cards = first.clusters.filter((card) => card.matches(".step, .gap")).map((card) => {
  const { x, y, width, height } = boxOf(card);
  return { id: card.id, gap: card.matches(".gap"), left: x, right: x + width, top: y, bottom: y + height };
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

const gapOf = known.map(({ id }) => gaps.find((gap) => inside(id, gap.id))?.id);
const bars = new Set(known.map((_, i) => i).filter((i) => ["stack", "unstack"].includes(known[i].symbol)
  && boxOf(first.shapes[i]).width > 100)); // as wide as the steps that they join or part
const loopOf = (id) => id.slice(0, id.lastIndexOf("/"));
/** The cards of the same step: above and below, as wide. */
const column = (card) => cards.filter((other) => other.gap === card.gap && !inside(other.id, card.id)
  && !inside(card.id, other.id) && Math.abs(other.left - card.left) + Math.abs(other.right - card.right) < 80);
const folds = new Set(), shown = new Map(); // ids of folded cards; of unfolded gaps, the number of the step shown

const leftmost = (list, key) => Math.min(...list.map((card) => card[key]));
const rightmost = (list, key) => Math.max(...list.map((card) => card[key]));

/** What unfolding a gap takes: all gaps of the same steps above and below it, the cards before and after them, and how
 * far all else has to move. Null where it cannot be done. */
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
