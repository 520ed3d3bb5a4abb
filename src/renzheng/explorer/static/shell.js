/** The call as a command: curl with the signature that the browser made, and tccli. */

import { shellQuoted } from "./quoting.js";

export const INLINE = 4000; // characters of a body that a command line still takes with grace
export const BODY_FILE = "request.json";

/** Whether the body has to be in a file for the sample to run. */
export const needsBodyFile = (id, call) =>
  id === "curl" ? call.body.length > INLINE
    : id === "tccli" && call.values.some(({ kind }) => kind === "image" || kind === "object" || kind === "list");

export function curlSample(call) {
  if (!call.signed) return "";
  const data = needsBodyFile("curl", call) ? `--data-binary @${BODY_FILE}` : `--data-raw ${shellQuoted(call.body)}`;
  const parts = call.signed.headers.map(([name, value]) => `-H ${shellQuoted(`${name}: ${value}`)}`);
  return [`curl -sS ${shellQuoted(`${call.scheme}://${call.host}/`)}`, ...parts, data].join(" \\\n  ");
}

export function tccliSample(call) {
  const values = needsBodyFile("tccli", call)
    ? [`--cli-input-json file://${BODY_FILE}`]
    : call.values.map(({ name, kind, value }) =>
      `--${name} ${shellQuoted(kind === "boolean" ? (value ? "True" : "False") : String(value))}`);
  return [
    `tccli ${call.service} ${call.action}`,
    call.region && `--region ${shellQuoted(call.region)}`,
    `--endpoint ${shellQuoted(`${call.scheme}://${call.host}`)}`,
    ...values,
  ].filter(Boolean).join(" \\\n  ");
}
