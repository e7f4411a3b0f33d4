// The way to the result, as long as that is out of sight.

const resultAt = known.findLastIndex(({ role }) => role === "output");
const side = (from, size, start, seen) => (from + size < start ? 0 : from > start + seen ? 2 : 1);
const pointToResult = () => {
  if (resultAt < 0) return;
  const box = boxOf(first.shapes[resultAt]), [x, y, w, h] = [box.x - frame.x, box.y - frame.y, box.width, box.height];
  const column = side(x * zoom, w * zoom, stage.scrollLeft, stage.clientWidth);
  const line = side(y * zoom, h * zoom, stage.scrollTop, stage.clientHeight);
  $("result").hidden = column === 1 && line === 1;
  $("result").textContent = `${["↖↑↗", "← →", "↙↓↘"][line][column]} ${known[resultAt].name ?? "result"}`;
};
$("result").addEventListener("click", () => reveal(reach(known[resultAt].id)));
