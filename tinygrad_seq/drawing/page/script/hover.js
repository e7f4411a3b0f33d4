// A small card for the node that the pointer is on.

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
    const said = lines.filter(Boolean).map((line) => make("span", {}, line));
    hover.replaceChildren(make("strong", {}, item.title), ...said);
    hover.hidden = false;
    const { width: w, height: h } = hover.getBoundingClientRect();
    hover.style.left = `${clamp(box.left + box.width / 2 - w / 2, 6, innerWidth - w - 6)}px`;
    hover.style.top = `${box.top - h - 8 < 50 ? box.bottom + 8 : box.top - h - 8}px`;
  }, 250);
};
stage.addEventListener("pointermove", ({ pointerType, target }) => {
  point(pointerType === "mouse" ? nodeOf(target) : undefined);
});
for (const kind of ["pointerleave", "scroll", "pointerdown"]) stage.addEventListener(kind, () => point(undefined));
