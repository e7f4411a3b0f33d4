// Zoom, pan and pinch.

const across = () => (stage.offsetWidth - 24) / frame.width, down = () => (stage.offsetHeight - 24) / frame.height;
const whole = () => Math.max(Math.min(across(), down()), Math.min(down(), 100 / frame.height)); // a strip, but no hair
const sizes = [...first.shapes.slice(0, 300), ...first.lines.slice(0, 300), legend]
  .flatMap((piece) => [...piece.querySelectorAll("text, tspan")])
  .map((words) => Number(words.getAttribute("font-size")));
const readable = 11 / Math.min(12, ...sizes.filter(Boolean)); // at which the smallest text is 11 pixels high
let zoom = 1, fitted = true;

const resize = () => {
  picture.style.width = `${frame.width * zoom}px`;
  picture.style.height = `${frame.height * zoom}px`;
};
const setZoom = (next, fits, x = stage.clientWidth / 2, y = stage.clientHeight / 2) => {
  const before = picture.getBoundingClientRect(), corner = stage.getBoundingClientRect();
  const right = (corner.left + x - before.left) / before.width, below = (corner.top + y - before.top) / before.height;
  [zoom, fitted] = [clamp(next, Math.min(whole(), 0.2), 6), fits];
  resize();
  const after = picture.getBoundingClientRect();
  stage.scrollLeft += after.left + right * after.width - corner.left - x;
  stage.scrollTop += after.top + below * after.height - corner.top - y;
  uncoverNear();
};
const fit = () => setZoom(Math.min(whole(), 1.6), true);
const zoomBy = (factor, x, y) => setZoom(zoom * factor, false, x, y);
const open = () => { // what cannot be read as a whole begins at its upper left end, with its first step in sight
  fit();
  if (zoom < readable) setZoom(readable, false);
  const card = cardOf.get(homes[frames.flat().find((i) => homes[i].length)]?.[0]);
  const to = (start, size) => Math.max(start * zoom - 0.6 * size, 0);
  stage.scrollTo(card ? to(card.left - frame.x, stage.clientWidth) : 0, card ? to(card.top - frame.y, stage.clientHeight) : 0);
};
const reveal = (i) => {
  if (!shapes[i].isConnected) {
    stage[scrolled] = tiles[i] * tileSize * zoom;
    uncoverNear();
  }
  shapes[i].scrollIntoView({ block: "nearest", inline: "nearest" });
};
const spot = (event) => {
  const corner = stage.getBoundingClientRect();
  return [event.clientX - corner.left, event.clientY - corner.top];
};
stage.addEventListener("wheel", (event) => {
  const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
  if (sideways || (embedded && !event.ctrlKey)) return; // scrolls; in a notebook, that, too
  event.preventDefault();
  zoomBy(Math.exp(-clamp(event.deltaY, -120, 120) / (event.ctrlKey ? 100 : 500)), ...spot(event));
}, { passive: false });

let drag = null; // where a drag is; one finger scrolls by itself
stage.addEventListener("pointerdown", (event) => {
  if (event.pointerType === "mouse" && event.button === 0) drag = { x: event.clientX, y: event.clientY, moved: false };
});
stage.addEventListener("pointermove", (event) => {
  if (!drag) return;
  const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
  if (!drag.moved && Math.hypot(dx, dy) < 5) return;
  if (!drag.moved) stage.setPointerCapture(event.pointerId);
  drag = { x: event.clientX, y: event.clientY, moved: true };
  stage.scrollBy(-dx, -dy);
});
for (const end of ["pointerup", "pointercancel"]) {
  stage.addEventListener(end, () => setTimeout(() => { drag = null; })); // after the click that ends a drag
}

let pinch = 0; // how far two fingers are apart
const apart = ({ touches: [a, b] }) => Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
stage.addEventListener("touchstart", (event) => { pinch = event.touches.length === 2 ? apart(event) : 0; });
stage.addEventListener("touchmove", (event) => {
  if (event.touches.length !== 2 || !pinch) return;
  event.preventDefault();
  const [a, b] = event.touches, now = apart(event);
  zoomBy(now / pinch, ...spot({ clientX: (a.clientX + b.clientX) / 2, clientY: (a.clientY + b.clientY) / 2 }));
  pinch = now;
}, { passive: false });
