/** The entered values as JSON, and in the form that the samples need. */

/**
 * @typedef {object} Parameter of the description
 * @property {string} name
 * @property {"string" | "boolean" | "integer" | "number" | "list" | "object" | "image"} kind
 * @property {boolean} [required]
 *
 * @typedef {object} Entered
 * @property {string} [text] what stands in the input
 * @property {{name: string, size: number, type: string, base64: string}} [file]
 *
 * @typedef {object} Value a parameter that has one. `value`: JSON; of an object, its own Values
 * @property {string} name
 * @property {string} kind
 * @property {any} value
 * @property {string} [file] the name of an image's file
 */

const INTEGER = /^-?\d+$/;

/** Raised for what cannot be sent as the kind that it has to be; `key` is a text's. */
export class Unusable extends Error {
  constructor(key) {
    super(key);
    this.key = key;
  }
}

/**
 * The JSON value of what was entered, undefined where the parameter is left out. Unusable.
 * @param {Parameter} parameter @param {Entered | undefined} entered
 */
export function valueOf(parameter, entered) {
  if (parameter.kind === "image") return entered?.file?.base64;
  const text = entered?.text ?? "";
  if (text === "") return undefined;
  if (parameter.kind === "string") return text;
  if (parameter.kind === "boolean") return text === "true";
  if (parameter.kind === "integer" || parameter.kind === "number") return numberOf(parameter, text.trim());
  return structureOf(parameter, text);
}

function numberOf(parameter, text) {
  const value = Number(text);
  if (!Number.isFinite(value) || (parameter.kind === "integer" && !INTEGER.test(text))) throw new Unusable("notNumber");
  return value;
}

function structureOf(parameter, text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Unusable("notJson");
  }
  if (parameter.kind === "list" ? !Array.isArray(value) : kindOf(value) !== "object") {
    throw new Unusable(parameter.kind === "list" ? "notList" : "notObject");
  }
  return value;
}

/**
 * The whole form. `problems`: text keys by parameter of what cannot be used.
 * @param {Parameter[]} parameters @param {Record<string, Entered>} entered
 * @returns {{body: Record<string, any>, values: Value[], problems: Record<string, string>}}
 */
export function read(parameters, entered) {
  /** @type {Record<string, any>} */
  const body = {};
  /** @type {Value[]} */
  const values = [];
  /** @type {Record<string, string>} */
  const problems = {};
  for (const parameter of parameters) {
    const { name, kind } = parameter;
    try {
      const value = valueOf(parameter, entered[name]);
      if (value === undefined) continue;
      body[name] = value;
      values.push(kind === "image" ? { name, kind, value, file: entered[name].file?.name } : asValue(name, value));
    } catch (problem) {
      if (!(problem instanceof Unusable)) throw problem;
      problems[name] = problem.key;
    }
  }
  return { body, values, problems };
}

/** @returns {Value} */
function asValue(name, value) {
  const kind = kindOf(value);
  if (kind !== "object") return { name, kind, value };
  const fields = Object.entries(value).filter(([, inner]) => inner !== null);
  return { name, kind, value: fields.map(([key, inner]) => asValue(key, inner)) };
}

function kindOf(value) {
  if (Array.isArray(value)) return "list";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return value === null ? "null" : typeof value;
}

/** The length of the Base64 text of so many bytes. */
export const base64Length = (bytes) => Math.ceil(bytes / 3) * 4;

/** @param {File} file @returns {Promise<string>} its Base64 */
export function base64Of(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => {
      const address = String(reader.result);
      resolve(address.slice(address.indexOf(",") + 1));
    };
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}
