// A step that is left out has the ops of the step before the gap, and numbers of its own, which come in columns.

const unpacked = (columns, k, like) => { // the summary of a step in a gap; words are the same in all
  if (!Object.keys(columns).length) return typeof like === "string" ? like : undefined;
  const { wide, strips, ...rows } = columns;
  const said = Object.fromEntries(Object.entries(rows).map(([name, row]) => [name, row[k]]));
  return { size: like?.size, ...said, strip: wide ? stripOf(columns, k, said) : undefined };
};
const stripOf = (columns, k, { min, max }) => {
  columns.bytes ??= Uint8Array.from(atob(columns.strips), (letter) => letter.charCodeAt(0));
  const row = columns.bytes.subarray(k * columns.wide, (k + 1) * columns.wide), top = peak(min, max);
  const most = Math.max(...[...row].map((level) => (level ? Math.abs(level - 128) : 0)), 1);
  return [...row].map((level) => (level ? Number((((level - 128) / most) * top).toPrecision(2)) : "nan"));
};
const peak = (min, max) => Math.max(Math.abs(min), Math.abs(max)) || 0;
const stepOf = (table, k, item, title) => { // an item of the step before the gap, as it is in this one
  const row = table.items[item.id] ?? {}, values = text(item, "values"), gradient = text(item, "gradient");
  const now = { id: table.ids[k] + item.id.slice(table.before.length), step: title, twin: item.id,
    place: text(item, "place")?.replace(item.step, title) };
  if (row.values) { // it is another one in each step
    const [said, back] = [unpacked(row.values, k, values), unpacked(row.gradient, k, gradient)];
    Object.assign(now, { values: said, gradient: back, first: row.first?.[k], terms: undefined, value: undefined });
  }
  if (row.uses) now.uses = [[-1, row.uses[k]]];
  return { ...item, ...now };
};
const paintNorm = (norm, shape, ...around) => { // as the picture shows a gradient
  if (!/gradient/.test(scale) || !bounds.length || !Number.isFinite(norm)) return;
  const [low, high] = bounds.map(Math.log10), share = clamp((Math.log10(norm) - low) / (high - low), 0, 1);
  const colour = norm ? `rgb(${tint(share)})` : nothing, thick = 0.6 + 4.4 * share;
  shape?.classList.replace("pale", "shown");
  shape?.querySelector("rect").setAttribute("style", `fill:${colour};stroke:${colour}`);
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
const label = (box, titles, beside, drawn = box) => { // what stands in a gap of which a step is shown; or as drawn
  const lines = [...box.querySelectorAll("text")], count = titles?.length;
  drawn.lines ??= lines.map((line) => line.textContent);
  const said = !titles ? drawn.lines : box.matches(".passing") ? [leaving(drawn.lines[0], titles, beside)]
    : count ? ["⋯", `${count} step${count > 1 ? "s" : ""}, same ops`, range(titles)] : ["", "no step between", ""];
  lines.forEach((line, i) => { line.textContent = said[i] ?? ""; });
  return said[0];
};
const leaving = (said, titles, { all, left, right }) => { // a value says of which step it is, the last one; or of all
  const name = said.slice(0, said.indexOf(", ")), back = said.endsWith(`, ${all[0]}`); // time runs to the left
  const last = back ? titles[0] ?? right : titles.at(-1) ?? left;
  return `${name}, ${/ … /.test(said) ? range(titles) || "no step" : last}`;
};
