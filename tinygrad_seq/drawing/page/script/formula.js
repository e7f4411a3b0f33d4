// The formula of a node with its numbers in it, and its gradient rule: in mathematics, and as the source has it.

const signed = (value) => (value < 0 ? `(${figure(value)})` : figure(value));
const put = (formula, named) => formula // numbers in place of names
  .replace(/\b[xyzpg]\b/g, (name) => (named[name] === undefined ? name : signed(named[name])))
  .replace(/(?<=\(|, )\(([^()]*)\)(?=[,)])/g, "$1"); // tanh((−1)) is tanh(−1)
const written = [["·", "*"], ["−", "-"], ["²", "**2"], ["^", "**"], ["√", "Math.sqrt"], ["ln", "Math.log"],
  ["½", "0.5"], [" = ", " === "], ["[", "Number("], ["]", ")"]];
const result = (formula, named) => {
  let code = formula.replace(/\b(exp|tanh|sin|cos|max|min)\b/g, "Math.$1");
  for (const [sign, said] of written) code = code.replaceAll(sign, said);
  try {
    const value = Function(...Object.keys(named), `return ${code}`)(...Object.values(named));
    return figure(Number(value.toPrecision(4)));
  } catch { // where a page may not evaluate anything
    return "";
  }
};
const equation = (...parts) => make("p", { className: "equation" }, ...parts.filter(Boolean).join(" = "));
const formulas = (item) => {
  const { mathematics = [], arguments: names = [], first: at = [], terms = [], gradient, shape, rules = [] } = item;
  const [formula, back = []] = mathematics, source = make("details", {}, make("summary", {}, "as the source has it"),
    ...rules.flatMap(([of, lines]) => [make("small", {}, `for ${of}`), make("pre", {}, lines)]));
  if (!formula) return rules.length ? [make("h3", {}, "Gradient rule"), source] : [];
  const [left, right] = formula.split(" = ");
  const g = gradient?.strip?.[0] ?? (gradient?.size === 1 ? gradient.mean : undefined);
  const known = at.length > names.length && at.every(Number.isFinite);
  const named = known ? { [left]: at[0], ...Object.fromEntries(names.map((name, i) => [name, at[i + 1]])) } : {};
  const single = /^[(1, )]*$/.test(shape), which = single ? "" : " (the first of its numbers)";
  const plain = /^[xyzpg]$/.test(left); // elementwise, so that numbers can be put in
  const forth = [equation(left, right)];
  if (plain && known) forth.push(equation(put(right, { ...named, [left]: undefined }), figure(at[0])));
  else if (terms.length && Number.isFinite(at[0])) {
    const products = terms.slice(0, 4).map((factors) => factors.map(signed).join(" · ")).join(" + ");
    forth.push(equation(products + (terms.length > 4 ? " + …" : ""), figure(at[0])));
  }
  const rows = back.flatMap((rule, i) => {
    if (!rule) return [];
    const shown = [equation(`∂L/∂${names[i] ?? "xᵢ"}`, rule)];
    if (plain && known && Number.isFinite(g) && /[·/−]/.test(rule)) {
      const all = { ...named, g };
      shown.push(equation(put(rule, all), result(rule, all)));
    } else if (plain && Number.isFinite(g) && rule === "g") shown.push(equation("g", figure(g)));
    return shown;
  });
  const about = `g = ∂L/∂${left}, the gradient that comes back`;
  return [
    make("h3", {}, `Formula${forth.length > 1 ? which : ""}`), ...forth,
    ...(rows.length ? [make("h3", {}, "Gradient rule"), make("small", {}, about), ...rows] : []),
    ...(rules.length ? [source] : []),
  ];
};
