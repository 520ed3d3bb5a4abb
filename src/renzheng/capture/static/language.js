/** Chooses one of the two languages, and fills values into its sentences. */

/** @typedef {"zh-CN" | "en-US"} Language */

/** @param {readonly string[]} wanted language tags, most wanted first @returns {Language} */
export function chooseLanguage(wanted) {
  for (const tag of wanted) {
    if (/^zh\b/i.test(tag)) return "zh-CN";
    if (/^en\b/i.test(tag)) return "en-US";
  }
  return "en-US";
}

/**
 * @param {Record<Language, Record<string, string>>} languages sentences under the same keys; `{name}` is filled in
 *   `keyOne` is taken where `n` is one
 * @returns {(language: Language, key: string, values?: Record<string, string | number>) => string}
 */
export const translator = (languages) => (language, key, values = {}) => {
  const single = values.n === 1 ? languages[language][`${key}One`] : undefined;
  const text = single ?? languages[language][key];
  if (text === undefined) throw new Error(`no text ${key}`);
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
};
