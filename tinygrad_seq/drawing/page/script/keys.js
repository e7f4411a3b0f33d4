// Light and dark, print, and what the buttons and keys do. The graph is one Tab stop, with arrows from node to node.

const dark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (root.dataset.theme || (dark.matches ? "dark" : "light")) === "dark";
const repaint = () => lastStrips && strips(...lastStrips);
const changeTheme = () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  repaint();
};
dark.addEventListener("change", repaint);
let themeBefore;
addEventListener("beforeprint", () => {
  [themeBefore, root.dataset.theme] = [root.dataset.theme ?? "", "light"];
  repaint();
  uncover(-1, Infinity);
});
addEventListener("afterprint", () => {
  root.dataset.theme = themeBefore;
  repaint();
  uncoverNear();
});

let here = 0, stop = null; // the node that Tab comes to
const setTabStop = () => { // only it is a Tab stop, and one that is there
  here = shapes[here]?.isConnected ? here : Math.max(shapes.findIndex((shape) => shape.isConnected), 0);
  if (stop === shapes[here]) return;
  stop?.removeAttribute("tabindex");
  stop = shapes[here];
  stop?.setAttribute("tabindex", "0");
  stop?.setAttribute("role", "button");
};
const focusOn = (i) => {
  here = i;
  reveal(i);
  setTabStop();
  shapes[i].focus({ preventScroll: true });
};
const focusToward = (dx, dy) => { // to the nearest node that way
  const centre = (i) => { const { x, y, width: w, height: h } = boxOf(shapes[i]); return [x + w / 2, y + h / 2]; };
  const [x, y] = centre(here);
  let best = -1, least = Infinity;
  shapes.forEach((_, i) => {
    const [u, v] = centre(i), ahead = (u - x) * dx + (v - y) * dy;
    const aside = Math.abs((u - x) * dy) + Math.abs((v - y) * dx);
    if (ahead > 1 && ahead + 3 * aside < least) [best, least] = [i, ahead + 3 * aside];
  });
  if (best >= 0) focusOn(best);
};
stage.addEventListener("scrollend", setTabStop);

const move = (dx, dy) => stage.scrollBy(dx * 80, dy * 80);
const acts = {
  out: () => zoomBy(1 / 1.25), in: () => zoomBy(1.25), fit, theme: changeTheme, ask: () => $("help").showModal(),
  start: () => goTo(0), back: () => goTo(now - 1), next: () => goTo(now + 1), play, svg: saveSvg, png: savePng,
};
for (const bar of [$("bar"), $("player"), $("saves")]) {
  bar.addEventListener("click", (event) => acts[event.target.closest("button")?.id]?.());
}
const keys = {
  ArrowLeft: acts.back, ArrowRight: acts.next, ArrowUp: () => move(0, -1), ArrowDown: () => move(0, 1),
  "shift ArrowLeft": () => move(-1, 0), "shift ArrowRight": () => move(1, 0),
  Home: acts.start, End: () => goTo(frames.length), " ": play, "/": () => $("query").select(),
  Escape: () => (document.activeElement === $("query") || panel.hidden ? $("query").blur() : leave()),
  "+": acts.in, "=": acts.in, "-": acts.out, 0: fit, d: changeTheme, "?": acts.ask,
};
const inGraph = {
  ArrowLeft: () => focusToward(-1, 0), ArrowRight: () => focusToward(1, 0),
  ArrowUp: () => focusToward(0, -1), ArrowDown: () => focusToward(0, 1),
};
document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || $("help").open) return;
  if (target === $("query") && key !== "Escape") return;
  if (target.tagName === "INPUT" && target !== $("query") && /Arrow|Home|End/.test(key)) return; // a slider knows these
  if (target.tagName === "BUTTON" && (key === " " || key === "Enter")) return; // a button knows these itself
  const node = nodeOf(target);
  const opens = node !== undefined && (key === "Enter" || key === " ");
  const act = opens ? () => pick(node) : (node !== undefined && !event.shiftKey && inGraph[key])
    || (event.shiftKey && keys[`shift ${key}`]) || keys[key];
  if (!act) return;
  event.preventDefault();
  act();
  if (opens) panel.focus({ preventScroll: true });
});
addEventListener("resize", () => (fitted ? fit() : uncoverNear()));

arrange();
document.body.dataset.ready = "";
open();
recall();
setTabStop();
ready = true;
