// Moving what is drawn. Nothing is laid out again: `bend` maps every old x to a new one.

const round = (value) => Math.round(value * 10) / 10;
const shift = (piece, dx) => {
  if (dx) piece.setAttribute("transform", `translate(${round(dx)} 0)`);
  else piece.removeAttribute("transform");
};
const stretch = (shape, bend) => { // what is as wide as several steps
  const box = shape.querySelector("rect");
  shape.plain ??= { x: box.x.baseVal.value, width: box.width.baseVal.value };
  const { x, width } = shape.plain, left = bend(x);
  box.setAttribute("x", round(left));
  box.setAttribute("width", round(bend(x + width) - left));
  for (const words of shape.querySelectorAll("text")) words.setAttribute("x", round(bend(x + width / 2)));
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
  const isFolded = card.classList.toggle("folded", folds.has(card.id)), start = round(left + 14);
  label?.setAttribute("x", start);
  label?.setAttribute("transform", isFolded ? `rotate(90 ${start} ${label.getAttribute("y")})` : "");
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
  twin.setAttribute("class", element.getAttribute("class").replace(/ ?\bis-\w+/g, "").replace("shown", "pale"));
  if (id) twin.id = id;
  for (const [i, piece] of [...element.children].entries()) {
    twin.children[i].plain = piece.plain;
    if (piece.style.stroke !== "none") twin.children[i].removeAttribute("style"); // numbers of another step
  }
  twin.plain = element.plain;
  return twin;
};
