/** TC3-HMAC-SHA256 with the browser's own cryptography. The SecretKey is used for the signature only. */

const ALGORITHM = "TC3-HMAC-SHA256";
const CONTENT_TYPE = "application/json";
const SIGNED_HEADERS = "content-type;host";

const encoder = new TextEncoder();
const hex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Browsers provide cryptography in secure contexts only: https, or a loopback address. */
export const canSign = () => globalThis.crypto?.subtle !== undefined;

async function sha256(bytes) {
  return hex(await crypto.subtle.digest("SHA-256", bytes));
}

async function hmac(key, text) {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return crypto.subtle.sign("HMAC", imported, encoder.encode(text));
}

/**
 * @typedef {object} Call
 * @property {string} service
 * @property {string} version
 * @property {string} action
 * @property {string} host as the Host header will have it, with the port if there is one
 * @property {string} region empty where none is sent
 * @property {string} language empty where none is sent
 * @property {number} timestamp unix seconds
 * @property {string} body JSON
 */

/**
 * Signs one call. Each step is what a signature written by hand is compared with.
 * @param {{secretId: string, secretKey: string, token: string}} credential `token` is empty for permanent keys
 * @param {Call} call
 * @returns {Promise<{canonicalRequest: string, stringToSign: string, authorization: string,
 *   headers: [string, string][], body: Uint8Array}>} `headers`: all that are sent but Host, which the browser sets
 */
export async function sign(credential, call) {
  const body = encoder.encode(call.body);
  const canonicalRequest = [
    "POST", "/", "", `content-type:${CONTENT_TYPE}`, `host:${call.host}`, "", SIGNED_HEADERS, await sha256(body),
  ].join("\n");
  const date = new Date(call.timestamp * 1000).toISOString().slice(0, 10); // in UTC, as the server counts days
  const scope = `${date}/${call.service}/tc3_request`;
  const stringToSign = [ALGORITHM, call.timestamp, scope, await sha256(encoder.encode(canonicalRequest))].join("\n");
  /** @type {BufferSource} */
  let key = encoder.encode(`TC3${credential.secretKey}`);
  for (const part of [date, call.service, "tc3_request"]) key = await hmac(key, part);
  const signature = hex(await hmac(key, stringToSign));
  const authorization =
    `${ALGORITHM} Credential=${credential.secretId}/${scope}, SignedHeaders=${SIGNED_HEADERS}, Signature=${signature}`;
  /** @type {[string, string][]} */
  const named = [
    ["Content-Type", CONTENT_TYPE],
    ["X-TC-Action", call.action],
    ["X-TC-Version", call.version],
    ["X-TC-Timestamp", String(call.timestamp)],
    ["X-TC-Region", call.region],
    ["X-TC-Language", call.language],
    ["X-TC-Token", credential.token],
    ["Authorization", authorization],
  ];
  const headers = named.filter(([, value]) => value);
  return { canonicalRequest, stringToSign, authorization, headers, body };
}

/**
 * The first line in which two texts differ, undefined where there is none. Line ends of Windows and white space at
 * the very end do not count, as copying adds them.
 * @returns {{line: number, ours: string, theirs: string} | undefined}
 */
export function firstDifference(ours, theirs) {
  const [left, right] = [ours, theirs].map((text) => text.replace(/\r\n/g, "\n").trimEnd().split("\n"));
  for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
    if (left[index] !== right[index]) return { line: index + 1, ours: left[index] ?? "", theirs: right[index] ?? "" };
  }
  return undefined;
}
