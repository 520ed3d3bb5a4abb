/** Small parts that several panels are made of. */

import { h, one, s } from "/static/dom.js";

const COPIED_MS = 1600;
const SHEETS = ["M9 9h9a1.5 1.5 0 0 1 1.5 1.5v8A1.5 1.5 0 0 1 18 20h-7.5A1.5 1.5 0 0 1 9 18.5Z",
  "M15 6V5a1.5 1.5 0 0 0-1.5-1.5h-8A1.5 1.5 0 0 0 4 5v9a1.5 1.5 0 0 0 1.5 1.5H6"];

/**
 * A button that copies a text, made when it is pressed.
 * @param {(key: string) => string} t @param {() => string} text @param {string} what for those who listen
 */
export function copyButton(t, text, what) {
  const label = h("span", { "aria-live": "polite" }, t("copy"));
  let over;
  const button = h("button", { type: "button", class: "copy", onclick: async () => {
    await copy(text());
    label.textContent = t("copied");
    clearTimeout(over);
    over = setTimeout(() => (label.textContent = t("copy")), COPIED_MS);
  } }, copyIcon(), label, h("span", { class: "heard" }, ` ${what}`));
  return button;
}

const copyIcon = () => s("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" },
  SHEETS.map((d) => s("path", { d })));

/** The clipboard API needs a secure context; without one, the old method is used. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h("textarea", { class: "heard", "aria-hidden": "true" }, text);
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

/** A box of code that can be scrolled by keyboard too. @param {string} name its accessible name */
export const codeBox = (name, properties = {}) =>
  h("pre", { tabindex: "0", role: "region", "aria-label": name, ...properties }, h("code", { translate: "no" }));

const WORDS = "import from as use using require namespace package public static class void func const auto new var"
  + " return if else panic nil null echo puts print include throws int main unsigned string for true false True False"
  + " None curl tccli";
const STRINGS = String.raw`"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\])*'`;
const JSON_STRING = String.raw`"(?:\\.|[^"\\])*"`;
const JSON_WORD = String.raw`\b(?:true|false|null)\b|-?\b\d[\d.eE+-]*`;
const TOKENS = {
  json: new RegExp(String.raw`(?<key>${JSON_STRING})(?=\s*:)|(?<string>${JSON_STRING})|(?<word>${JSON_WORD})`, "g"),
  code: new RegExp(String.raw`(?<string>${STRINGS})|(?<word>\b(?:${WORDS.replaceAll(" ", "|")})\b)`, "g"),
};

/** Puts a text into a box, its parts coloured. Every part goes in as text. @param {"json" | "code"} grammar */
export function paint(box, text, grammar) {
  const parts = [];
  let at = 0;
  for (const match of text.matchAll(TOKENS[grammar])) {
    const [kind] = Object.entries(match.groups ?? {}).find(([, value]) => value !== undefined) ?? ["string"];
    parts.push(text.slice(at, match.index), h("span", { class: `token-${kind}` }, match[0]));
    at = match.index + match[0].length;
  }
  one(box, "code").replaceChildren(...parts, text.slice(at));
}

/**
 * Tabs after the pattern of WAI-ARIA: arrow keys move, the chosen one shows its panel.
 * @param {{id: string, label: string, panel: HTMLElement}[]} tabs
 * @param {string} chosen @param {(id: string) => void} onchoose @param {string} label
 */
export function tabList(tabs, chosen, onchoose, label) {
  const buttons = tabs.map(({ id, label: text, panel }, index) => {
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("id", `panel-${id}`);
    panel.setAttribute("aria-labelledby", `tab-${id}`);
    return h("button", {
      type: "button", role: "tab", id: `tab-${id}`, "data-tab": id, "aria-controls": `panel-${id}`,
      onclick: () => onchoose(id),
      onkeydown: (event) => {
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        if (!step) return;
        event.preventDefault();
        const next = (index + step + tabs.length) % tabs.length;
        onchoose(tabs[next].id);
        buttons[next].focus();
      },
    }, text);
  });
  const list = h("div", { role: "tablist", "aria-label": label, class: "tabs" }, buttons);
  const choose = (id) => tabs.forEach((tab, index) => {
    buttons[index].setAttribute("aria-selected", String(tab.id === id));
    buttons[index].tabIndex = tab.id === id ? 0 : -1;
    tab.panel.hidden = tab.id !== id;
  });
  choose(chosen);
  return { list, choose };
}

/** Bytes or characters in a readable unit. */
export function readable(count) {
  if (count < 1024) return `${count} B`;
  const [unit, size] = /** @type {[string, number]} */ (count < 1024 * 1024 ? ["KB", 1024] : ["MB", 1024 * 1024]);
  const value = count / size;
  return `${value.toFixed(value < 10 && value % 1 !== 0 ? 1 : 0)} ${unit}`;
}

/** A text's beginning and its length, if it is longer than so many characters. */
export const cutAfter = (t, text, most) =>
  (text.length > most ? text.slice(0, most) + t("cut", { n: text.length }) : text);

export const command = (text) => h("code", { class: "command", translate: "no" }, text);
