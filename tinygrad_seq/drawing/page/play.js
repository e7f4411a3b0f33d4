// The forward and then the backward, frame by frame; light and dark; and what the buttons and keys do.

// ------------------------------------------------------------------------------------------------------- play
const frames = [...forward, ...backward], turn = forward.length;
const phase = (at) => (at === 0 ? "" : at <= turn ? "forward" : "backward");
const linesTo = (at) => (at <= turn || second !== "backward" ? linesInto : linesOutOf); // that lead to a frame
let at = 0, timer = 0;
$("time").max = frames.length;
$("ride").style.setProperty("--turn", turn / frames.length);
$("second").textContent = second;

const light = (frame, on) => {
  for (const i of frames[frame - 1]) {
    for (const one of [shapes[i], ...linesTo(frame)[i]]) one.classList.toggle("is-lit", on);
  }
};
const caption = () => {
  const back = second === "backward", steps = at <= turn ? turn : backward.length, now = at <= turn ? at : at - turn;
  if (at === 0) {
    const then = back ? "the gradient back" : `the ${second}`;
    return `Press play: ${turn} steps forward, then ${then} in ${backward.length}. Click a node for what is in it.`;
  }
  const { title, step, shape, value, gradient, role } = items[frames[at - 1][0]];
  const where = title + (step ? ` at ${step}` : "");
  if (at <= turn) return `forward ${now} of ${steps}: ${where}${shape && role !== "middle" ? ` gives ${shape}` : ""}`;
  const size = value ?? gradient, known = size !== undefined && size !== now; // a path only counts
  const measure = known ? `, ${value === undefined ? "|.grad|" : scale} ${figure(size)}` : "";
  return `${second} ${now} of ${steps}: ${back ? "the gradient reaches " : ""}${where}${measure}`;
};
const show = (next) => {
  next = clamp(next, 0, frames.length);
  const first = (p) => (p === "backward" ? turn + 1 : 1);
  if (phase(next) !== phase(at)) {
    for (let f = first(phase(at)); at && f <= at; f++) light(f, false);
    at = phase(next) ? first(phase(next)) - 1 : 0;
  }
  for (; at < next; at++) light(at + 1, true);
  for (; at > next; at--) light(at, false);
  picture.dataset.play = phase(at);
  const now = at ? frames[at - 1] : [];
  dress("is-now", now.map((i) => shapes[i]));
  dress("is-going", now.flatMap((i) => linesTo(at)[i]));
  $("time").value = at;
  $("caption").textContent = caption();
  $("time").setAttribute("aria-valuetext", caption());
  if (now.length) reveal(now[0]);
};
const playing = (now) => {
  clearInterval(timer);
  timer = now;
  $("play").setAttribute("aria-pressed", String(Boolean(timer)));
  $("play").title = `${timer ? "Pause" : "Play"} (space)`;
  $("caption").setAttribute("aria-live", timer ? "off" : "polite");
};
const play = () => {
  if (timer) return playing(0);
  if (at === frames.length) show(0);
  const pace = Math.max(frames.length / 30000, 1 / 350); // frames a millisecond: half a minute for all
  let since = performance.now(), from = at;
  playing(setInterval(() => {
    const end = at < turn ? turn : frames.length; // the turn is always seen
    const due = Math.min(from + Math.floor((performance.now() - since) * pace), end);
    if (due <= at) return;
    show(due);
    if (at === turn) [since, from] = [performance.now(), at];
    if (at === frames.length) playing(0);
  }, 50));
};
const goTo = (next) => {
  playing(0);
  show(next);
};
$("time").addEventListener("input", () => goTo(Number($("time").value)));

// ----------------------------------------------------------------------------------------- light, dark and print
const dark = matchMedia("(prefers-color-scheme: dark)");
const changeTheme = () => {
  const now = root.dataset.theme || (dark.matches ? "dark" : "light");
  root.dataset.theme = now === "dark" ? "light" : "dark";
};
let worn;
addEventListener("beforeprint", () => {
  [worn, root.dataset.theme] = [root.dataset.theme ?? "", "light"];
  uncover(0, Infinity);
});
addEventListener("afterprint", () => {
  root.dataset.theme = worn;
  uncoverNear();
});

// -------------------------------------------------------------------------------------------- buttons and keys
const move = (dx, dy) => stage.scrollBy(dx * 80, dy * 80);
const acts = {
  out: () => zoomBy(1 / 1.25), in: () => zoomBy(1.25), fit, theme: changeTheme, ask: () => $("help").showModal(),
  start: () => goTo(0), back: () => goTo(at - 1), next: () => goTo(at + 1), play,
};
for (const bar of [$("bar"), $("player")]) {
  bar.addEventListener("click", (event) => acts[event.target.closest("button")?.id]?.());
}
const keys = {
  ArrowLeft: acts.back, ArrowRight: acts.next, ArrowUp: () => move(0, -1), ArrowDown: () => move(0, 1),
  "shift ArrowLeft": () => move(-1, 0), "shift ArrowRight": () => move(1, 0),
  "shift ArrowUp": () => move(0, -1), "shift ArrowDown": () => move(0, 1),
  Home: acts.start, End: () => goTo(frames.length), " ": play, "/": () => $("query").select(),
  Escape: () => (document.activeElement === $("query") || panel.hidden ? $("query").blur() : leave()),
  "+": acts.in, "=": acts.in, "-": acts.out, 0: fit, d: changeTheme, "?": acts.ask,
};
document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || $("help").open) return;
  if (target === $("query") && key !== "Escape") return;
  if (target.tagName === "BUTTON" && (key === " " || key === "Enter")) return; // a button knows these itself
  const node = nodeOf(target);
  const opens = node !== undefined && (key === "Enter" || key === " ");
  const act = opens ? () => pick(node) : keys[event.shiftKey && key.startsWith("Arrow") ? `shift ${key}` : key];
  if (!act) return;
  event.preventDefault();
  act();
  if (opens) panel.focus({ preventScroll: true });
});
addEventListener("resize", () => (fitted ? fit() : uncoverNear()));

document.body.dataset.ready = "";
open();
show(0);
