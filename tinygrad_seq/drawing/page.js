"use strict";
// The picture is there already. This lends it a magnifier, a memory of what every node is, and a sense of time.
// Listeners sit on the page, not on nodes, and a frame touches only the nodes that change: 20,000 nodes stay quick.
(() => {
  const $ = (id) => document.getElementById(id);
  const root = document.documentElement, stage = $("stage"), panel = $("panel");
  const picture = stage.querySelector("svg");
  const { items, texts, edges, forward, backward, scale } = JSON.parse($("data").textContent);

  // ------------------------------------------------------------------------------------- what is connected to what
  const number = new Map(items.map((item, i) => [item.id, i]));
  const shapes = items.map((item) => document.getElementById(item.id));
  const inputs = items.map(() => []), users = items.map(() => []);
  for (const [source, target] of edges) {
    if (!inputs[target].includes(source)) inputs[target].push(source);
    if (!users[source].includes(target)) users[source].push(target);
  }
  const lines = new Map(); // the drawn edges, by "source target"
  for (const line of picture.querySelectorAll("g.edge[data-source]")) {
    const key = `${number.get(line.dataset.source)} ${number.get(line.dataset.target)}`;
    lines.set(key, [...(lines.get(key) ?? []), line]);
  }
  const linesInto = (i) => inputs[i].flatMap((source) => lines.get(`${source} ${i}`) ?? []);
  const linesOutOf = (i) => users[i].flatMap((target) => lines.get(`${i} ${target}`) ?? []);
  for (const shape of shapes) {
    shape?.setAttribute("tabindex", "0");
    shape?.setAttribute("role", "button");
  }
  if (items.length < 1000) stage.dataset.calm = ""; // fading costs too much where there are many
  const nodeOf = (target) => number.get(target.closest?.("#stage g.node")?.id);

  /** Give a class to these elements and take it from those that had it. */
  const wearers = new Map();
  const dress = (name, elements) => {
    const now = new Set(elements);
    for (const element of wearers.get(name) ?? []) if (!now.has(element)) element.classList.remove(name);
    for (const element of now) element?.classList.add(name);
    wearers.set(name, now);
  };

  // ------------------------------------------------------------------------------------------------- zoom and pan
  const { width, height } = picture.viewBox.baseVal;
  const clamp = (value, low, high) => Math.max(low, Math.min(high, value));
  const across = () => (stage.offsetWidth - 24) / width, down = () => (stage.offsetHeight - 24) / height;
  const whole = () => Math.max(Math.min(across(), down()), Math.min(down(), 100 / height)); // a strip, but no hair
  let zoom = 1, fitted = true;

  const setZoom = (next, x = stage.clientWidth / 2, y = stage.clientHeight / 2) => {
    const before = picture.getBoundingClientRect(), corner = stage.getBoundingClientRect();
    const right = (corner.left + x - before.left) / before.width, below = (corner.top + y - before.top) / before.height;
    zoom = clamp(next, Math.min(whole(), 0.2), 6);
    picture.style.width = `${width * zoom}px`;
    picture.style.height = `${height * zoom}px`;
    const after = picture.getBoundingClientRect();
    stage.scrollLeft += after.left + right * after.width - corner.left - x;
    stage.scrollTop += after.top + below * after.height - corner.top - y;
  };
  const fit = () => {
    setZoom(Math.min(whole(), 1.6));
    fitted = true;
  };
  const zoomBy = (factor, x, y) => {
    setZoom(zoom * factor, x, y);
    fitted = false;
  };
  const open = () => { // a long strip begins at its left end, large enough to be read
    fit();
    const readable = Math.min(1, down());
    if (zoom < 0.4 && readable > zoom) {
      zoomBy(readable / zoom);
      stage.scrollTo(0, stage.scrollTop);
    }
  };
  const reveal = (i) => {
    const box = shapes[i]?.getBoundingClientRect(), view = stage.getBoundingClientRect();
    if (!box) return;
    const inside = (low, high, least, most) => low > least + 16 && high < most - 16;
    if (!inside(box.left, box.right, view.left, view.right)) {
      stage.scrollLeft += (box.left + box.right - view.left - view.right) / 2;
    }
    if (!inside(box.top, box.bottom, view.top, view.bottom)) {
      stage.scrollTop += (box.top + box.bottom - view.top - view.bottom) / 2;
    }
  };

  stage.addEventListener("wheel", (event) => {
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) return; // sideways: scrolls
    event.preventDefault();
    const corner = stage.getBoundingClientRect();
    zoomBy(Math.exp(-clamp(event.deltaY, -120, 120) / 500), event.clientX - corner.left, event.clientY - corner.top);
  }, { passive: false });

  let grip = null; // where a drag is; fingers scroll by themselves
  stage.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" && event.button === 0) grip = { x: event.clientX, y: event.clientY, moved: false };
  });
  stage.addEventListener("pointermove", (event) => {
    if (!grip) return;
    const dx = event.clientX - grip.x, dy = event.clientY - grip.y;
    if (!grip.moved && Math.hypot(dx, dy) < 5) return;
    if (!grip.moved) stage.setPointerCapture(event.pointerId);
    grip = { x: event.clientX, y: event.clientY, moved: true };
    stage.scrollLeft -= dx;
    stage.scrollTop -= dy;
  });
  const release = () => setTimeout(() => { grip = null; }); // after the click that ends a drag
  stage.addEventListener("pointerup", release);
  stage.addEventListener("pointercancel", release);

  // -------------------------------------------------------------------------------------------------- the panel
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const text = (index) => (index === undefined ? undefined : texts[index]);
  let picked = -1;

  const heat = ({ strip, size }, shape) => {
    const numbers = strip.filter((value) => typeof value === "number");
    const most = Math.max(...numbers.map(Math.abs), 1e-30);
    const cells = strip.map((value) => {
      const cell = make("i", { title: value });
      if (typeof value !== "number") cell.dataset.odd = "";
      else cell.style.setProperty("--heat", `${Math.round(100 * Math.sqrt(Math.abs(value) / most))}%`);
      if (value < 0) cell.dataset.cold = "";
      return cell;
    });
    const last = Number(shape?.match(/(\d+),?\)$/)?.[1] ?? 0);
    const columns = size <= 64 && last && last <= 16 ? last : 16;
    const grid = make("div", { role: "img", ariaLabel: "heat strip of the values" }, ...cells);
    grid.style.setProperty("--columns", columns);
    grid.dataset.is = "heat";
    const more = size > strip.length ? `${strip.length} of ${size.toLocaleString("en")} values, evenly spaced` : "all values";
    return strip.length > 1 ? [grid, make("small", {}, `${more}; blue is negative, red is positive`)] : [];
  };
  const facts = (about, values, title, seen = {}) => {
    const rows = [
      ["name", title.endsWith(` ${about.name}`) ? "" : about.name], ["shape", about.shape && `${about.shape} ${about.dtype}`], ["in", seen.place],
      ["line", seen.line],
      [scale || "shown", seen.value], ["|.grad|", about.gradient ?? (about.op === "parameter" ? "not computed" : undefined)],
    ].filter(([, value]) => value !== undefined && value !== "" && value !== null);
    if (typeof values === "string") rows.push(["value", values]);
    else if (values) {
      rows.push(values.size === 1 ? ["value", values.mean] : ["values", `${values.min} … ${values.max}, mean ${values.mean}`]);
    }
    const list = make("dl", {}, ...rows.flatMap(([key, value]) => [make("dt", {}, key), make("dd", {}, String(value))]));
    return [list, ...(values && typeof values !== "string" ? heat(values, about.shape) : [])];
  };
  const links = (title, found) => {
    if (!found.length) return [];
    const buttons = found.slice(0, 100).map((i) => {
      const { title: name, step } = items[i];
      const button = make("button", {}, name, ...(step && step !== items[picked].step ? [make("small", {}, ` ${step}`)] : []));
      button.dataset.go = i;
      return make("li", {}, button);
    });
    if (found.length > 100) buttons.push(make("li", {}, `and ${found.length - 100} more`));
    return [make("h3", {}, title), make("ul", {}, ...buttons)];
  };
  const fill = (i) => {
    const item = items[i], rules = text(item.rules) ?? [], parts = text(item.of) ?? [];
    const close = make("button", { id: "close", title: "Close (Esc)", ariaLabel: "Close" }, "×");
    const seen = { place: text(item.place), line: text(item.line), value: item.value };
    panel.replaceChildren(
      close, make("h2", {}, item.title), ...(item.about === undefined ? [] : [make("p", {}, text(item.about))]),
      ...facts(item, text(item.values), item.title, seen), ...parts.flatMap((part) => [make("h3", {}, part.name), ...facts(part, part.values, ` ${part.name}`)]),
      ...(rules.length ? [make("h3", {}, "Gradient rule")] : []),
      ...rules.flatMap(([of, source]) => [make("small", {}, `for ${of}`), make("pre", {}, source)]),
      ...links("Made from", inputs[i]), ...links("Used by", users[i]),
    );
    panel.scrollTop = 0;
  };
  const pick = (i) => {
    picked = i;
    panel.hidden = i < 0;
    dress("is-picked", i < 0 ? [] : [shapes[i]]);
    dress("is-input", i < 0 ? [] : linesInto(i));
    dress("is-user", i < 0 ? [] : linesOutOf(i));
    if (i < 0) return;
    fill(i);
    reveal(i);
  };
  stage.addEventListener("click", (event) => {
    if (grip?.moved) return;
    pick(nodeOf(event.target) ?? -1);
  });
  panel.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.id === "close") return leave();
    if (button?.dataset.go) pick(Number(button.dataset.go));
    if (button) panel.focus({ preventScroll: true });
  });
  const leave = () => {
    const before = shapes[picked];
    pick(-1);
    before?.focus({ preventScroll: true });
  };

  // ----------------------------------------------------------------------------------------------------- search
  const haystack = items.map((item) => [
    item.title, item.name, item.op, item.symbol, item.shape, item.role, item.step, text(item.place),
  ].join(" ").toLowerCase());
  let matches = [], match = -1;
  const search = () => {
    const words = $("query").value.toLowerCase();
    matches = words.trim() ? haystack.flatMap((hay, i) => (hay.includes(words.trim()) ? [i] : [])) : [];
    match = -1;
    dress("is-match", matches.map((i) => shapes[i]).filter(Boolean));
    $("count").textContent = words.trim() ? `${matches.length || "none"} found` : "";
  };
  const nextMatch = (by) => {
    if (!matches.length) return;
    match = (match + by + matches.length + (match < 0 && by < 0)) % matches.length;
    $("count").textContent = `${match + 1} of ${matches.length}`;
    pick(matches[match]);
  };
  $("query").addEventListener("input", search);
  $("find").addEventListener("submit", (event) => event.preventDefault());
  $("query").addEventListener("keydown", (event) => {
    if (event.key === "Enter") nextMatch(event.shiftKey ? -1 : 1);
  });

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
    const measure = size === undefined ? "" : `, ${value === undefined ? "|gradient|" : scale || "|gradient|"} ${size}`;
    return `backward ${at - turn} of ${backward.length}: gradient reaches ${where}${measure}`;
  };
  const show = (next, follow = true) => {
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
    dress("is-now", now.map((i) => shapes[i]).filter(Boolean));
    dress("is-going", now.flatMap(at <= turn ? linesInto : linesOutOf));
    $("time").value = at;
    $("time").setAttribute("aria-valuetext", $("caption").textContent = caption());
    if (now.length && follow) reveal(now[0]);
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
    for (const element of [root, picture]) {
      if (theme) element.dataset.theme = theme;
      else delete element.dataset.theme;
    }
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
})();
