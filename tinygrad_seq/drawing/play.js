// The forward and then the backward, frame by frame; light and dark; and what the buttons and keys do.

// ------------------------------------------------------------------------------------------------------- play
const frames = [...forward, ...backward], turn = forward.length;
const phase = (at) => (at === 0 ? "" : at <= turn ? "forward" : "backward");
let at = 0, timer = 0;
$("time").max = frames.length;
$("time").style.setProperty("--turn", frames.length ? turn / frames.length : 0);

const light = (frame, on) => {
  for (const i of frames[frame - 1]) {
    shapes[i]?.classList.toggle("is-lit", on);
    const reached = frame <= turn ? linesInto(i) : linesOutOf(i);
    for (const line of reached) line.classList.toggle("is-lit", on);
  }
};
const caption = () => {
  if (at === 0) return `${turn} frames forward, ${backward.length} backward: press play, or move the slider`;
  const [i] = frames[at - 1], { title, step, shape, value, gradient, role } = items[i];
  const where = title + (step ? ` at ${step}` : "");
  if (at <= turn) {
    return `forward ${at} of ${turn}: ${where}${shape && role !== "middle" ? ` gives ${shape}` : ""}`;
  }
  const size = value ?? gradient;
  const measure = size === undefined ? "" : `, ${value === undefined ? "|.grad|" : scale} ${figure(size)}`;
  return `backward ${at - turn} of ${backward.length}: gradient reaches ${where}${measure}`;
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
  if (phase(at)) picture.dataset.play = phase(at);
  else delete picture.dataset.play;
  const now = at ? frames[at - 1] : [];
  dress("is-now", now.map((i) => shapes[i]));
  dress("is-going", now.flatMap(at <= turn ? linesInto : linesOutOf));
  $("time").value = at;
  $("caption").textContent = caption();
  $("time").setAttribute("aria-valuetext", caption());
  if (now.length) reveal(now[0]);
};
const stop = () => {
  clearInterval(timer);
  timer = 0;
  told();
};
const play = () => {
  if (timer) return stop();
  if (at === frames.length) show(0);
  const pace = clamp(frames.length / 30000, 1 / 350, Infinity); // frames a millisecond: half a minute for all
  let since = performance.now(), from = at;
  timer = setInterval(() => {
    const end = at < turn ? turn : frames.length; // the turn is always seen
    const due = Math.min(from + Math.floor((performance.now() - since) * pace), end);
    if (due <= at) return;
    show(due);
    if (at === turn) [since, from] = [performance.now(), at];
    if (at === frames.length) stop();
  }, 50);
  told();
};
const told = () => {
  $("play").setAttribute("aria-pressed", String(Boolean(timer)));
  $("play").setAttribute("aria-label", timer ? "Pause" : "Play");
  $("caption").setAttribute("aria-live", timer ? "off" : "polite");
};
const step = (by) => {
  if (timer) stop();
  show(at + by);
};
$("time").addEventListener("input", () => {
  if (timer) stop();
  show(Number($("time").value));
});

// ----------------------------------------------------------------------------------------- light, dark and print
const dark = matchMedia("(prefers-color-scheme: dark)");
const wear = (theme) => {
  if (theme) root.dataset.theme = theme;
  else delete root.dataset.theme;
};
const changeTheme = () => wear((root.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark" ? "light" : "dark");
let worn;
addEventListener("beforeprint", () => {
  worn = root.dataset.theme;
  wear("light");
});
addEventListener("afterprint", () => wear(worn));

// -------------------------------------------------------------------------------------------- buttons and keys
const move = (dx, dy) => stage.scrollBy(dx * 80, dy * 80);
const escape = () => (document.activeElement === $("query") || panel.hidden ? $("query").blur() : leave());
const acts = {
  out: () => zoomBy(1 / 1.25), in: () => zoomBy(1.25), fit, theme: changeTheme, ask: () => $("help").showModal(),
  start: () => step(-Infinity), back: () => step(-1), next: () => step(1), play,
};
for (const bar of [$("bar"), $("player")]) {
  bar.addEventListener("click", (event) => acts[event.target.closest("button")?.id]?.());
}
const keys = {
  ArrowLeft: () => step(-1), ArrowRight: () => step(1), ArrowUp: () => move(0, -1), ArrowDown: () => move(0, 1),
  "shift ArrowLeft": () => move(-1, 0), "shift ArrowRight": () => move(1, 0),
  "shift ArrowUp": () => move(0, -1), "shift ArrowDown": () => move(0, 1),
  Home: () => step(-Infinity), End: () => step(Infinity), " ": play, Escape: escape, "/": () => $("query").select(),
  "+": acts.in, "=": acts.in, "-": acts.out, 0: fit, d: changeTheme, "?": acts.ask,
};
document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || $("help").open) return;
  if (target === $("query") && key !== "Escape") return;
  if (target.tagName === "BUTTON" && (key === " " || key === "Enter")) return; // a button knows these itself
  const node = nodeOf(target);
  if (node !== undefined && (key === "Enter" || key === " ")) {
    event.preventDefault();
    pick(node);
    return panel.focus({ preventScroll: true });
  }
  const act = keys[event.shiftKey && key.startsWith("Arrow") ? `shift ${key}` : key];
  if (!act) return;
  event.preventDefault();
  act();
});
addEventListener("resize", () => fitted && fit());

open();
show(0);
