// Creates elements, without markup in strings.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

export const byId = (id) => document.getElementById(id);

export function make(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

export function draw(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

// Replaces the options of a select; keeps the selection if it still exists.
export function offer(select, options, wanted) {
  select.replaceChildren(...options.map(([value, title]) => make("option", { value }, title)));
  const values = options.map(([value]) => value);
  select.value = values.includes(wanted) ? wanted : (values[0] ?? "");
  return select.value;
}
