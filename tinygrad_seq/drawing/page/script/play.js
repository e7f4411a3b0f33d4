// The forward and then the backward, frame by frame. Where the gradient comes back, the arrows turn round.

let frames = [], turn = 0, now = 0, timer = 0;
const phase = (at) => (at === 0 ? "" : at <= turn ? "forward" : "backward");
const returns = (at) => at > turn && second === "backward"; // against the arrows
const linesTo = (at) => (returns(at) ? linesOutOf : linesInto); // that lead to a frame
$("second").textContent = second;

const restart = ({ forward, backward }, share) => { // with the frames of what is shown now, as far along as before
  [frames, turn, now] = [[...forward, ...backward], forward.length, 0];
  $("time").max = frames.length;
  $("ride").style.setProperty("--turn", turn / frames.length);
  show(Math.round(share * frames.length));
};

/** Let an arrow point at its source, or at its target again. */
const turnRound = (line, back) => {
  if (Boolean(line.turned) === back) return;
  line.turned = back;
  const way = line.querySelector(".line"), head = line.querySelector(".head");
  if (!back) {
    head.setAttribute("d", head.way);
    way.setAttribute("d", way.way);
    return;
  }
  [head.way, way.way] = [head.getAttribute("d"), way.getAttribute("d")];
  const [tip, foot] = head.way.match(/-?[\d.]+,-?[\d.]+/g).map((spot) => spot.split(",").map(Number));
  const moved = head.transform.baseVal.numberOfItems ? head.transform.baseVal[0].matrix.e : 0;
  const [[x, y], [a, b]] = way.way.match(/-?[\d.]+,-?[\d.]+/g).map((spot) => spot.split(",").map(Number));
  const long = Math.max(Math.abs(tip[0] - foot[0]), Math.abs(tip[1] - foot[1]));
  const broad = Math.min(Math.abs(tip[0] - foot[0]), Math.abs(tip[1] - foot[1]));
  const level = Math.abs(a - x) > 0.05 && Math.abs(b - y) < 0.05 ? Math.sign(a - x) : 0;
  const steep = level ? 0 : Math.sign(b - y) || 1, [over, up] = level ? [0, broad] : [broad, 0];
  const sides = [1, -1].map((side) => [x + level * long + side * over, y + steep * long + side * up]);
  head.setAttribute("d", `M${x - moved},${y}L${sides.map(([u, v]) => `${round(u - moved)},${round(v)}`).join("L")}z`);
  const from = `${round(x + (level * long) / 2)},${round(y + (steep * long) / 2)}`;
  way.setAttribute("d", `${way.way.replace(/-?[\d.]+,-?[\d.]+/, from)}L${tip[0] + moved},${tip[1]}`);
};
const light = (frame, on) => {
  for (const i of frames[frame - 1]) {
    shapes[i].classList.toggle("is-lit", on);
    for (const line of linesTo(frame)[i]) {
      line.classList.toggle("is-lit", on);
      turnRound(line, on && returns(frame));
    }
  }
};
const caption = () => {
  const back = second === "backward";
  const [count, steps] = now <= turn ? [now, turn] : [now - turn, frames.length - turn];
  if (now === 0) {
    const then = back ? "the gradient back" : `the ${second.replace(/^the /, "")}`;
    return `Press play: forward op by op, then ${then}. Click a node, a card or a gap.`;
  }
  const item = items[frames[now - 1][0]], { title, step, shape, value, role } = item;
  const where = title + (step ? ` at ${step}` : ""), values = text(item, "values"), gradient = text(item, "gradient");
  if (now <= turn) {
    const gives = values?.size === 1 ? figure(values.mean) : role === "middle" ? "" : shape;
    return `forward ${count} of ${steps}: ${where}${gives ? ` gives ${gives}` : ""}`;
  }
  const size = value ?? (gradient?.size === 1 ? gradient.mean : gradient?.norm);
  const tells = size !== undefined && size !== count; // a path only counts
  const what = value !== undefined ? scale : gradient?.size === 1 ? "gradient" : "|gradient|";
  const said = `${back ? "the gradient reaches " : ""}${where}${tells ? `, ${what} ${figure(size)}` : ""}`;
  return `${second} ${count} of ${steps}: ${said}`;
};
const show = (next) => {
  next = clamp(next, 0, frames.length);
  const start = (p) => (p === "backward" ? turn + 1 : 1);
  if (phase(next) !== phase(now)) {
    for (let f = start(phase(now)); now && f <= now; f++) light(f, false);
    now = phase(next) ? start(phase(next)) - 1 : 0;
  }
  for (; now < next; now++) light(now + 1, true);
  for (; now > next; now--) light(now, false);
  picture.dataset.play = phase(now);
  const frame = now ? frames[now - 1] : [];
  giveClass("is-now", frame.map((i) => shapes[i]));
  giveClass("is-going", frame.flatMap((i) => linesTo(now)[i]));
  $("time").value = now;
  $("caption").textContent = caption();
  $("time").setAttribute("aria-valuetext", caption());
  if (frame.length) reveal(frame[0]);
  remember();
};
const playing = (next) => {
  clearInterval(timer);
  timer = next;
  $("play").setAttribute("aria-pressed", String(Boolean(timer)));
  $("play").title = `${timer ? "Pause" : "Play"} (space)`;
  $("caption").setAttribute("aria-live", timer ? "off" : "polite");
};
const play = () => {
  if (timer) return playing(0);
  if (now === frames.length) show(0);
  const pace = Math.max(frames.length / 30000, 1 / 350); // frames a millisecond: half a minute for all
  let since = performance.now(), from = now;
  playing(setInterval(() => {
    const end = now < turn ? turn : frames.length; // the turn is always seen
    const due = Math.min(from + Math.floor((performance.now() - since) * pace), end);
    if (due <= now) return;
    show(due);
    if (now === turn) [since, from] = [performance.now(), now];
    if (now === frames.length) playing(0);
  }, 50));
};
const goTo = (next) => {
  playing(0);
  show(next);
};
$("time").addEventListener("input", () => goTo(Number($("time").value)));
