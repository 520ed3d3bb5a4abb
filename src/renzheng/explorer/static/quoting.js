/** Texts as literals of other languages. The text comes from a form, so nothing in it may end the literal. */

/** A literal of Python, Java, Go, JavaScript and C#: JSON's escapes are theirs; in C# more characters end a line. */
export const doubleQuoted = (text) => JSON.stringify(String(text)).replace(/[\u0085\u2028\u2029]/g, escaped);

const escaped = (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** A literal of PHP and Ruby: in single quotes, only a quote and a backslash are special. */
export const singleQuoted = (text) => `'${String(text).replace(/[\\']/g, "\\$&")}'`;

/**
 * A literal of C++, which has no \u for control characters; octal ones end after three digits, whatever follows.
 * Before C++17 two question marks may begin a trigraph: `??/` is a backslash.
 */
export const cppQuoted = (text) =>
  JSON.stringify(String(text)).replace(/\\u00([01][0-9a-f])/g, (_, code) =>
    `\\${Number.parseInt(code, 16).toString(8).padStart(3, "0")}`).replace(/(?<=\?)\?/g, "\\?");

/** A word of a POSIX shell. */
export const shellQuoted = (text) => (/^[A-Za-z0-9_.:/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** A variable for a parameter: `ImageBase64` is kept in `imageBase64`. */
export const variable = (name) => name[0].toLowerCase() + name.slice(1);
