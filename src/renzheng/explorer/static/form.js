/** An input for each parameter. Typed values are kept in `entered`, over a change of language or action. */

import { h } from "/static/dom.js";
import { readable } from "./pieces.js";
import { base64Length, base64Of } from "./values.js";

const FEW = 6; // parameters that are all shown at once; of more, those that a first call hardly needs are folded away
const THUMBNAIL = 56; // CSS pixels
const PHOTO_TYPES = ["image/jpeg", "image/png"];

/**
 * @typedef {object} Form
 * @property {HTMLElement} element
 * @property {(problems: Record<string, string>) => void} mark shows what cannot be used
 * @property {(name: string) => void} focus
 */

/**
 * @param {object} given
 * @param {(key: string, values?: object) => string} given.t
 * @param {string} given.language
 * @param {import("./values.js").Parameter[]} given.parameters
 * @param {Record<string, import("./values.js").Entered>} given.entered changed in place
 * @param {{imageCharacters: number}} given.limits
 * @param {() => void} given.onchange
 * @returns {Form}
 */
export function makeForm({ t, language, parameters, entered, limits, onchange }) {
  const rows = parameters.map((parameter) => makeRow({ t, language, parameter, entered, limits, onchange }));
  const minor = ({ parameter }) => !parameter.required && !parameter.example && parameter.kind !== "image"
    && entered[parameter.name] === undefined;
  const folded = rows.length > FEW ? rows.filter(minor) : [];
  const shown = rows.filter((row) => !folded.includes(row));
  const more = folded.length > 0 && h("details", { class: "more" },
    h("summary", {}, t("more", { n: folded.length })), folded.map(({ element }) => element));
  return {
    element: h("div", { class: "rows" }, shown.map(({ element }) => element), more),
    mark: (problems) => rows.forEach((row) => row.mark(problems[row.parameter.name])),
    focus: (name) => {
      const row = rows.find(({ parameter }) => parameter.name === name);
      if (!row) return;
      if (more && folded.includes(row)) more.open = true;
      row.input.focus();
    },
  };
}

function makeRow({ t, language, parameter, entered, limits, onchange }) {
  const { name, kind, required } = parameter;
  const id = `parameter-${name}`;
  const described = [`${id}-text`, `${id}-problem`].join(" ");
  const problem = h("p", { class: "problem", id: `${id}-problem`, role: "alert" });
  const set = (value) => {
    if (value.text === "" || (value.text === undefined && !value.file)) delete entered[name];
    else entered[name] = value;
    onchange();
  };
  const common = { id, name, "aria-describedby": described, "aria-required": required ? "true" : undefined };
  const { input, element } = kind === "image"
    ? photoInput({ t, common, entered: entered[name], limits, set })
    : textInput({ t, parameter, common, entered: entered[name], set });
  return {
    parameter,
    input,
    element: h("div", { class: "row", "data-parameter": name },
      h("div", { class: "row-head" },
        h("label", { for: id, translate: "no" }, name),
        required && h("span", { class: "required" }, t("required")),
        h("span", { class: "kind", translate: "no" }, kind)),
      element,
      problem,
      h("p", { class: "about", id: `${id}-text` }, parameter.text?.[language]),
      parameter.fields?.length > 0 && fieldsOf(t, language, parameter)),
    mark: (key) => {
      const text = key ? t(key) : "";
      if (problem.textContent !== text) problem.textContent = text;
      if (key) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    },
  };
}

function textInput({ t, parameter, common, entered, set }) {
  const { kind, choices } = parameter;
  const value = entered?.text ?? "";
  const oninput = (event) => set({ text: event.target.value });
  const options = kind === "boolean" ? [["true", t("yes")], ["false", t("no")]]
    : choices?.map((choice) => [choice, choice]);
  let input;
  if (options) {
    input = h("select", { ...common, onchange: oninput, translate: "no" },
      h("option", { value: "" }, `— ${t("leftOut")}`),
      options.map(([choice, label]) => h("option", { value: choice, selected: choice === value }, label)));
  } else if (kind === "object" || kind === "list") {
    input = h("textarea", { ...common, oninput, rows: 4, spellcheck: "false", placeholder: outline(parameter) }, value);
  } else {
    input = h("input", {
      ...common, oninput, value, type: "text", spellcheck: "false", autocomplete: "off", autocapitalize: "off",
      inputmode: kind === "string" ? undefined : "decimal", placeholder: parameter.example,
    });
  }
  return { input, element: options ? h("span", { class: "select" }, input) : input };
}

/** What an object or a list may look like. */
function outline(parameter) {
  const blank = { list: [""], boolean: false, integer: 0, number: 0 };
  if (parameter.kind === "list") return "[]";
  const all = parameter.fields ?? [];
  const needed = all.filter(({ required }) => required);
  const fields = needed.length > 0 ? needed : all;
  return JSON.stringify(Object.fromEntries(fields.map(({ name, kind }) => [name, blank[kind] ?? ""])), null, 2);
}

const fieldsOf = (t, language, parameter) => h("details", { class: "fields" },
  h("summary", {}, t("fields")),
  h("dl", {}, parameter.fields.map(({ name, kind, required, text }) => [
    h("dt", { translate: "no" }, name,
      required && h("span", { class: "required" }, t("required")), h("span", { class: "kind" }, kind)),
    h("dd", {}, text?.[language]),
  ])));

/** A file picker with what is known of the photo before it is sent. */
function photoInput({ t, common, entered, limits, set }) {
  const limit = readable(limits.imageCharacters);
  const about = h("p", { class: "photo-about" });
  const picture = h("canvas", { class: "thumbnail", "aria-hidden": "true" });
  const label = h("label", { for: common.id, class: "button" });
  const drop = () => show(undefined, true);
  const remove = h("button", { type: "button", class: "quiet", onclick: drop }, t("removePhoto"));
  const take = async () => {
    const [file] = input.files ?? [];
    if (!file) return;
    const { name, size, type } = file;
    show({ name, size, type, base64: await base64Of(file), source: file }, true);
  };
  const input = h("input", { ...common, type: "file", class: "heard", accept: PHOTO_TYPES.join(","), onchange: take });

  function show(file, changed) {
    const encoded = file && readable(base64Length(file.size));
    const tooLarge = file && base64Length(file.size) > limits.imageCharacters;
    const wrongKind = file && !PHOTO_TYPES.includes(file.type);
    about.textContent = !file ? t("photoLimit", { limit })
      : tooLarge ? t("photoTooLarge", { encoded, limit })
        : wrongKind ? t("photoKind") : t("photoSize", { name: file.name, size: readable(file.size), encoded, limit });
    about.classList.toggle("wrong", Boolean(tooLarge || wrongKind));
    label.textContent = t(file ? "otherPhoto" : "choosePhoto");
    remove.hidden = picture.hidden = !file;
    if (file) draw(picture, file.source);
    else input.value = "";
    if (changed) set({ file });
  }

  show(entered?.file, false);
  return { input, element: h("div", { class: "photo" }, picture, h("div", { class: "photo-side" },
    h("div", { class: "photo-buttons" }, input, label, remove), about)) };
}

/** A small view of the photo on a canvas, as the page's policy allows no pictures from elsewhere. */
async function draw(canvas, file) {
  const size = THUMBNAIL * Math.ceil(devicePixelRatio);
  canvas.width = canvas.height = size;
  try {
    const picture = await createImageBitmap(file);
    const scale = size / Math.min(picture.width, picture.height);
    const [width, height] = [picture.width * scale, picture.height * scale];
    canvas.getContext("2d").drawImage(picture, (size - width) / 2, (size - height) / 2, width, height);
    picture.close();
  } catch {
    canvas.hidden = true; // no picture that a browser could show; the server will say what it thinks of it
  }
}
