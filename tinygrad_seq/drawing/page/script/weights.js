// A weight: all its uses, each with its share of the gradient.

const usesOf = (key) => known.flatMap((item, i) => { // in order of time, those that are left out, too
  if (String(item.parameters) !== key || !item.uses) return [];
  const here = item.uses.map(([user, share]) => ({ id: item.id, step: known[user].step || item.step || "", share }));
  const left = gaps.flatMap(({ before, steps, ids, items: rows }) => (!rows[item.id]?.uses ? []
    : steps.map((step, k) => {
      const id = inside(item.id, before) ? ids[k] + item.id.slice(before.length) : item.id;
      return { id, step, share: rows[item.id].uses[k] };
    })));
  const all = [...here, ...left], when = ({ step }) => Number(step.match(/-?\d+/)?.[0]);
  return here.length > 1 && !all.some((use) => Number.isNaN(when(use))) ? all.sort((a, b) => when(a) - when(b)) : all;
});
const shareOf = ({ uses }) => uses?.length && uses.reduce((sum, [, share]) => sum + share, 0);
const shares = ({ parameters, id }) => {
  const uses = usesOf(String(parameters)), most = Math.max(...uses.map(({ share }) => Math.abs(share)), 1e-300);
  if (uses.length < 2) return [];
  const bars = uses.map((use, i) => {
    const high = Math.max(46 * Math.abs(use.share) / most, 0.6), kind = use.share < 0 ? "cold" : "";
    const size = { x: i, y: use.share < 0 ? 50 : 50 - high, width: uses.length > 40 ? 1 : 0.8, height: high };
    const bar = drawn("rect", { ...size, class: kind });
    const stripe = drawn("rect", { x: i, y: 0, width: 1, height: 100, class: `stripe${use.id === id ? " here" : ""}` });
    const group = drawn("g", {}, drawn("title", {}), stripe, bar);
    group.firstChild.textContent = `${use.step}: ${percent(use.share)}`;
    group.dataset.id = use.id;
    return group;
  });
  const look = { viewBox: `0 0 ${uses.length} 100`, preserveAspectRatio: "none", class: "shares", role: "img" };
  const chart = drawn("svg", look, ...bars);
  chart.setAttribute("aria-label", "the share of every use, in order of time");
  const top = uses.toSorted((a, b) => Math.abs(b.share) - Math.abs(a.share)).slice(0, 8).map((use) => {
    const button = make("button", {}, use.step || "use", make("small", {}, ` ${percent(use.share)}`));
    button.dataset.id = use.id;
    return make("li", {}, button);
  });
  const ends = make("p", { className: "ends" }, make("span", {}, uses[0].step), make("span", {}, uses.at(-1).step));
  const note = `${uses.length} uses; their shares sum to the gradient. Below the line: against it.`;
  const title = make("h3", {}, "Shares of its gradient, by use");
  return [title, chart, ends, make("small", {}, note), make("ul", {}, ...top)];
};
const mark = (i) => { // what goes with the picked one
  const key = items[i]?.parameters && String(items[i].parameters);
  const alike = key ? items.flatMap((item, j) => (String(item.parameters) === key ? [j] : [])) : [];
  for (const badge of document.querySelectorAll(".badge")) badge.remove();
  giveClass("is-picked", i < 0 ? [] : [shapes[i]]);
  giveClass("is-use", alike.map((j) => shapes[j]));
  giveClass("is-input", linesInto[i] ?? []);
  giveClass("is-user", (alike.length ? alike : [i]).flatMap((j) => linesOutOf[j] ?? []));
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
