// What a reader takes along: a link to what is seen now, and the picture as a file.

let ready = false;
const remember = () => { // the address of this page says which node, which frame and which steps are shown
  if (!ready || timer || embedded) return;
  const said = new URLSearchParams();
  if (picked >= 0) said.set("node", items[picked].id);
  if (now) said.set("frame", now);
  for (const [gap, k] of shown) said.append("step", tables.get(gap).ids[k]);
  for (const card of folds) said.append("fold", card);
  const hash = String(said);
  if (hash === location.hash.slice(1)) return;
  history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
};
const recall = () => {
  const said = new URLSearchParams(location.hash.slice(1));
  for (const id of said.getAll("step")) {
    const table = gaps.find(({ ids }) => ids.includes(id));
    if (table && opening(table.id)) shown.set(table.id, table.ids.indexOf(id));
  }
  for (const id of said.getAll("fold")) if (cardOf.has(id)) folds.add(id);
  if (shown.size || folds.size) arrange();
  if (said.has("frame")) show(Number(said.get("frame")) || 0);
  if (said.has("node")) pick(reach(said.get("node")));
};
addEventListener("hashchange", () => location.reload());

const asSvg = () => { // as large as it is, with the light that is on
  uncover(-1, Infinity);
  const whole = picture.cloneNode(true);
  uncoverNear();
  whole.removeAttribute("style");
  whole.setAttribute("width", frame.width);
  whole.setAttribute("height", frame.height);
  whole.dataset.theme = isDark() ? "dark" : "light";
  return new XMLSerializer().serializeToString(whole);
};
const give = (blob, ending) => {
  const name = document.title.replace(/[^\w-]+/g, "_");
  const link = make("a", { href: URL.createObjectURL(blob), download: `${name}.${ending}` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
};
const saveSvg = () => give(new Blob([asSvg()], { type: "image/svg+xml" }), "svg");
const savePng = () => {
  const larger = Math.min(2, 16000 / Math.max(frame.width, frame.height)), sheet = new Image();
  sheet.onload = () => {
    const canvas = make("canvas", { width: frame.width * larger, height: frame.height * larger });
    canvas.getContext("2d").drawImage(sheet, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((blob) => give(blob, "png"));
  };
  sheet.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(asSvg())}`;
};
