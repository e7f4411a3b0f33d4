// Search, also in the steps that are left out: going to one shows it in the place of its gap.

const entries = known.map((item) => ({ id: item.id, item, step: item.step }));
for (const { before, ids, steps } of gaps) {
  known.filter(({ id }) => inside(id, before)).forEach((item) => {
    const rest = item.id.slice(before.length);
    ids.forEach((id, k) => entries.push({ id: id + rest, item, step: steps[k], before: item.step }));
  });
}
const haystack = entries.map(({ item, step, before }) => {
  const { title, name, op, symbol, shape, role } = item;
  const place = before ? (texts[item.place] ?? "").replace(before, step) : texts[item.place];
  return [title, name, op, symbol, shape, role, step, place, ""].join(" ").toLowerCase();
});
let matches = [], match = -1;
const search = () => {
  const words = $("query").value.trim().toLowerCase();
  const whole = /(t =|step) \d+$/.test(words) ? `${words} ` : words; // "t = 5" is not t = 50
  matches = words ? haystack.flatMap((hay, i) => (hay.includes(whole) ? [entries[i].id] : [])) : [];
  match = -1;
  markMatches();
  $("count").textContent = words ? `${matches.length || "none"} found` : "";
};
const markMatches = () => giveClass("is-match", matches.filter((id) => number.has(id)).map((id) => shapes[number.get(id)]));
const nextMatch = (by) => {
  if (!matches.length) return;
  match = (match + by + matches.length + (match < 0 && by < 0)) % matches.length;
  $("count").textContent = `${match + 1} of ${matches.length}`;
  pick(reach(matches[match]));
  markMatches();
};
$("query").addEventListener("input", search);
$("find").addEventListener("submit", (event) => event.preventDefault());
$("query").addEventListener("keydown", (event) => {
  if (event.key === "Enter") nextMatch(event.shiftKey ? -1 : 1);
});
