// What there is to say about one node, in words, numbers and colours.

const figure = (value) => { // 0.0000016 is hard to read
  if (typeof value !== "number") return String(value);
  const odd = value && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e9);
  return (odd ? String(Number(value.toExponential(3)).toExponential()) : String(value)).replace(/-/g, "−");
};
const percent = (share) => {
  const value = 100 * share, size = Math.abs(value), digits = size < 0.1 ? { maximumSignificantDigits: 1 }
    : { maximumFractionDigits: size < 10 ? 1 : 0 };
  return `${size && size < 1e-6 ? "≈ 0" : value.toLocaleString("en", digits).replace("-", "−")} %`;
};

// --------------------------------------------------------------------------------------------------- heat strips
const heat = ({ strip, size }, shape) => {
  const most = Math.max(...strip.filter(Number.isFinite).map(Math.abs), 1e-300);
  const cells = strip.map((value) => {
    const kind = !Number.isFinite(value) ? "odd" : value < 0 ? "cold" : "";
    const cell = make("i", { title: figure(value), className: kind });
    cell.style.setProperty("--heat", `${Math.round(100 * Math.sqrt(Math.abs(value) / most)) || 0}%`);
    return cell;
  });
  const last = Number(shape.match(/(\d+),?\)$/)?.[1] ?? 0);
  const grid = make("div", { className: "heat", role: "img", ariaLabel: "heat strip of the values" }, ...cells);
  grid.style.setProperty("--columns", size <= 64 && last && last <= 16 ? last : 16);
  const some = `${strip.length} of ${size.toLocaleString("en")} values, evenly spaced`;
  const note = `${strip.length < size ? some : "all values"}; blue is negative, red is positive`;
  return strip.length > 1 ? [grid, make("small", {}, note)] : [];
};

// --------------------------------------------------------------------------------------------------------- facts
const numbersOf = (said) => (said.size === 1 ? figure(said.mean)
  : said.min === undefined ? undefined
    : said.min === said.max ? `all ${figure(said.min)}`
    : `${figure(said.min)} … ${figure(said.max)}${said.mean === undefined ? "" : `, mean ${figure(said.mean)}`}`);
const facts = (about, title, seen = {}) => {
  const { values, gradient } = about, leaf = ["parameter", "input", "constant"].includes(about.op);
  const several = gradient && gradient.size !== 1;
  const none = about.op === "parameter" && !gradient ? "not computed" : undefined;
  const rows = [
    ["name", title.endsWith(about.name) ? "" : about.name],
    ["shape", about.shape && `${about.shape} ${about.dtype}`], ["in", seen.place], ["line", about.line],
    [scale, /gradient/.test(scale) && gradient ? undefined : seen.value],
    [values?.size === 1 || typeof values === "string" ? "value" : "values", values?.size ? numbersOf(values) : values],
    [leaf ? ".grad" : "gradient", gradient ? numbersOf(gradient) : none],
    [leaf ? "|.grad|" : "|gradient|", several ? gradient.norm : undefined],
  ].filter(([, value]) => value !== undefined && value !== "");
  const list = make("dl", {}, ...rows.flatMap(([key, value]) => [make("dt", {}, key), make("dd", {}, figure(value))]));
  const strip = (name, said) => (said?.strip?.length > 1 ? [make("h4", {}, name), ...heat(said, about.shape)] : []);
  return [list, ...strip("values", values), ...strip("gradient", gradient)];
};
