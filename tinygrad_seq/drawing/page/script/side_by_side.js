"use strict";
// Marks what differs in both pictures; a click on a line shows where it is.

const sides = [...document.querySelectorAll(".side")], lines = [...document.querySelectorAll("header button")];
const places = JSON.parse(document.getElementById("data").textContent);
const find = (side, id) => sides[side].querySelector(`[id="${CSS.escape(id)}"]`);
const about = places.map((pair) => pair.map((ids, side) => ids.map((id) => find(side, id)).filter(Boolean)));

for (const side of sides) { // large enough to read
  const picture = side.querySelector("svg"), { width, height } = picture.viewBox.baseVal;
  const words = [...picture.querySelectorAll("text, tspan")];
  const sizes = words.map((text) => Number(text.getAttribute("font-size"))).filter(Boolean);
  const fit = Math.min(side.clientWidth / width, side.clientHeight / height, 1.6);
  const zoom = Math.max(fit, 11 / Math.min(12, ...sizes));
  picture.style.width = `${width * zoom}px`;
  picture.style.height = `${height * zoom}px`;
}
about.forEach((pair, i) => {
  for (const shape of pair.flat()) shape.classList.add(lines[i].className);
});
document.querySelector("header").addEventListener("click", (event) => {
  const i = lines.indexOf(event.target.closest("button"));
  if (i < 0) return;
  lines.forEach((line, j) => line.setAttribute("aria-pressed", String(j === i)));
  for (const shape of document.querySelectorAll(".told")) shape.classList.remove("told");
  for (const shapes of about[i]) {
    for (const shape of shapes) shape.classList.add("told");
    shapes[0]?.scrollIntoView({ block: "center", inline: "center" });
  }
});
