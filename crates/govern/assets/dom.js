// Building elements, and changing a page into another one without losing focus, scroll or open details.

const SVG = "http://www.w3.org/2000/svg";
const SVG_TAGS = new Set(["svg", "path", "circle", "line", "rect", "g", "text"]);

/** An element: `h("p.note", { title: "x" }, "text", child, …)`. Text is always text, never markup. */
export function h(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const node = SVG_TAGS.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  if (classes.length) node.setAttribute("class", classes.join(" "));
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("--")) node.style.setProperty(key, value);
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  for (const child of children.flat(9)) {
    if (child === undefined || child === null || child === false) continue;
    node.append(child instanceof Node ? child : String(child));
  }
  return node;
}

/** Changes `from` into `to`, touching only what differs. Elements with `data-key` are matched by it. */
export function morph(from, to) {
  for (const { name } of [...from.attributes]) {
    if (!to.hasAttribute(name) && !(name === "open" && from.tagName === "DETAILS")) from.removeAttribute(name);
  }
  for (const { name, value } of [...to.attributes]) {
    if (from.getAttribute(name) === value) continue;
    // The page's policy forbids style attributes; the style object is allowed.
    if (name === "style") from.style.cssText = to.style.cssText;
    else from.setAttribute(name, value);
  }
  const known = new Map([...from.children].filter((c) => c.dataset?.key).map((c) => [c.dataset.key, c]));
  let at = from.firstChild;
  for (const want of [...to.childNodes]) {
    const match = want.dataset?.key ? known.get(want.dataset.key) : at && !at.dataset?.key && alike(at, want) ? at : null;
    if (!match) {
      from.insertBefore(want, at);
      continue;
    }
    if (match !== at) from.insertBefore(match, at);
    else at = at.nextSibling;
    if (match.nodeType === Node.TEXT_NODE) {
      if (match.data !== want.data) match.data = want.data;
    } else morph(match, want);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function alike(one, other) {
  return one.nodeType === other.nodeType && one.nodeName === other.nodeName;
}
