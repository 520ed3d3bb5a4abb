/** Building elements without markup in strings, so that the page can forbid every way of injecting any. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * @template {HTMLElement | SVGElement} E
 * @param {E} element
 * @param {Record<string, any>} properties `class`, `on…` listeners, `style` as an object of custom properties; others
 *   are attributes, left out where null, undefined or false.
 * @param {any[]} children elements, strings, arrays of them; null and false are left out
 * @returns {E}
 */
function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) if (child !== null && child !== undefined && child !== false) element.append(child);
  return element;
}

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag @param {Record<string, any>} [properties] @param {any[]} children @returns {HTMLElementTagNameMap[T]}
 */
export const h = (tag, properties = {}, ...children) => fill(document.createElement(tag), properties, children);

/** @param {string} tag @param {Record<string, any>} [properties] @param {any[]} children @returns {SVGElement} */
export const s = (tag, properties = {}, ...children) => fill(/** @type {SVGElement} */ (document.createElementNS(SVG, tag)), properties, children);

/** Finds an element that must exist. @param {ParentNode} root @param {string} selector @returns {HTMLElement} */
export const one = (root, selector) => /** @type {HTMLElement} */ (root.querySelector(selector));
