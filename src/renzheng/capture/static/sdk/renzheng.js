/**
 * renzheng's JavaScript SDK: one verification on a merchant's page, in a frame or by a visit to the server's page.
 *
 *   import { getMeta, start } from "https://faces.example/sdk/renzheng.js";
 *
 *   const meta = await getMeta();                       // send it to your server, for GetFaceIdToken's Meta
 *   const end = await start({ token, container: "#verify" });
 *   if (end.code === 0) askYourServer();                // which calls GetFaceIdResult: only that is proof
 *
 * No dependencies, nothing is asked of any other host. Types for editors: renzheng.d.ts.
 */

export const VERSION = "1.0.0";

/** What a verification can end with on the device: Tencent's SDK codes. 0 says that it is finished, not that it passed. */
export const CODES = Object.freeze({
  FINISHED: 0,
  NETWORK: 210,
  CANCELLED: 212,
  INNER: 213,
  SWITCHED: 214,
  CAMERA_REFUSED: 215,
  NOT_STARTED: 216,
  CAMERA_UNUSABLE: 218,
  PARAMETER: 221,
  TIMEOUT: 222,
  ILLEGAL_TOKEN: 288,
});

const MARK = "renzheng";
const STATEMENT = "renzheng device identity v1";
const FRAME_ANSWER_MS = 20000;
const THEME = ["accent", "on-accent", "background", "surface", "ink", "muted", "line", "seal", "radius", "font"];
const OWN_ADDRESS = new URL(import.meta.url);

// -- the device's key ------------------------------------------------------------------------------------------------

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256" };

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
function settled(request) {
  return new Promise((done, fail) => {
    request.onsuccess = () => done(request.result);
    request.onerror = () => fail(request.error);
  });
}

/** The key pair of this origin on this device, made at the first call; its private half cannot be taken out. */
async function deviceKey() {
  const opening = indexedDB.open("renzheng", 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore("keys");
  const database = await settled(opening);
  try {
    /** @param {IDBTransactionMode} mode */
    const store = (mode) => database.transaction("keys", mode).objectStore("keys");
    const kept = await settled(store("readonly").get("device"));
    if (kept) return kept;
    const made = await crypto.subtle.generateKey(ALGORITHM, false, ["sign", "verify"]);
    // Two pages at once: the first key that was kept is the device's.
    await settled(store("readwrite").add(made, "device")).catch(() => undefined);
    return await settled(store("readonly").get("device"));
  } finally {
    database.close();
  }
}

/**
 * The text for GetFaceIdToken's `Meta`. With `bind` it carries the public half of this device's key, and the token is
 * then accepted from this device alone. Where the browser keeps no keys, or with `bind: false`, nothing is bound.
 * @param {{bind?: boolean}} [options] `bind: false` for a token that is opened by `redirect`, by a link or in an app
 * @returns {Promise<string>} JSON
 */
export async function getMeta({ bind = true } = {}) {
  const meta = { sdk: `renzheng-js/${VERSION}`, language: navigator.language };
  if (bind && globalThis.isSecureContext && globalThis.indexedDB) {
    try {
      const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", (await deviceKey()).publicKey);
      return JSON.stringify({ ...meta, key: { kty, crv, x, y } });
    } catch {
      // Private windows of some browsers keep nothing: the token is then not bound.
    }
  }
  return JSON.stringify(meta);
}

/**
 * Signs a bound token's nonce with this device's key. The server's own page calls it; there is no need to.
 * @param {string} nonce @param {string} token
 * @returns {Promise<string>} Base64 of 64 bytes
 */
export async function signIdentity(nonce, token) {
  const text = new TextEncoder().encode(`${STATEMENT}\n${nonce}\n${token}`);
  const { privateKey } = await deviceKey();
  const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, privateKey, text);
  return btoa(String.fromCharCode(...new Uint8Array(signature)));
}

// -- a verification --------------------------------------------------------------------------------------------------

/**
 * Runs one verification. Give `container` to show it in a frame on your page, or `redirect` to leave for the server's
 * page and come back to that address.
 * @param {import("./renzheng.js").StartOptions} options
 * @returns {Promise<import("./renzheng.js").End>} never fails; see CODES. With `redirect` the page is left instead.
 */
export function start(options = /** @type {any} */ ({})) {
  const { token, container, redirect, server } = options;
  /** @param {import("./renzheng.js").Code} code @param {string} message */
  const end = (code, message) => Promise.resolve({ code, message, token: String(token ?? "") });
  if (typeof token !== "string" || !/^[\w-]{8,128}$/.test(token)) return end(CODES.PARAMETER, "token is not a FaceIdToken");
  if ((container === undefined) === (redirect === undefined)) return end(CODES.PARAMETER, "give either container or redirect");
  const address = new URL("/verify", server ?? OWN_ADDRESS);
  address.searchParams.set("origin", location.origin);
  const fragment = new URLSearchParams();
  if (options.language) fragment.set("language", options.language);
  if (options.theme) fragment.set("theme", options.theme);
  if (redirect !== undefined) {
    fragment.set("return", new URL(redirect, location.href).href);
    location.assign(`${address}#${token}&${fragment}`);
    return new Promise(() => undefined);
  }
  const place = typeof container === "string" ? document.querySelector(container) : container;
  if (!(place instanceof Element)) return end(CODES.PARAMETER, "container is not an element of this page");
  return new Promise((done) => new Framed(place, `${address}#${token}&${fragment}`, options, done));
}

/** What the server's page brought back to a `redirect` address, or undefined. Only your server's result is proof. */
export function returned() {
  const code = new URL(location.href).searchParams.get("renzheng_code");
  return code !== null && /^\d{1,4}$/.test(code) ? { code: Number(code) } : undefined;
}

/** A verification in a frame: talks with the frame's window at the server's origin, and with nobody else. */
class Framed {
  /**
   * @param {Element} place @param {string} address @param {import("./renzheng.js").StartOptions} options
   * @param {(end: import("./renzheng.js").End) => void} done
   */
  constructor(place, address, options, done) {
    this.place = place;
    this.options = options;
    this.done = done;
    this.origin = new URL(address).origin;
    this.frame = document.createElement("iframe");
    this.frame.allow = "camera; screen-wake-lock; clipboard-write";
    this.frame.title = options.title ?? (/^zh/i.test(options.language ?? navigator.language) ? "人脸核身" : "Identity check");
    for (const [name, value] of [["width", "100%"], ["height", "100%"], ["border", "0"], ["display", "block"]]) {
      this.frame.style.setProperty(name, value);
    }
    this.receive = this.receive.bind(this);
    this.abort = () => this.finish({ code: CODES.CANCELLED, message: "cancelled by the page" });
    addEventListener("message", this.receive);
    options.signal?.addEventListener("abort", this.abort);
    this.timer = setTimeout(() => this.finish({
      code: CODES.NOT_STARTED,
      message: `no answer from ${this.origin}: is it up, and is ${location.origin} in the account's origins?`,
    }), FRAME_ANSWER_MS);
    if (options.signal?.aborted) {
      this.abort();
      return;
    }
    this.frame.src = address;
    place.append(this.frame);
  }

  /** @param {Record<string, unknown>} message */
  post(message) {
    this.frame.contentWindow?.postMessage({ [MARK]: 1, ...message }, this.origin);
  }

  /** @param {MessageEvent} event */
  async receive({ source, origin, data }) {
    if (source !== this.frame.contentWindow || origin !== this.origin || data?.[MARK] !== 1) return;
    if (data.type === "hello") {
      clearTimeout(this.timer);
      this.post({ type: "theme", theme: this.theme() });
    } else if (data.type === "identify") {
      this.post({ type: "identity", nonce: data.nonce, signature: await signIdentity(data.nonce, this.options.token) });
    } else if (data.type === "event") {
      this.options.onevent?.(data.event);
    } else if (data.type === "end") {
      const { code, passed, message } = data;
      this.finish(passed === undefined ? { code, message } : { code, message, passed });
    }
  }

  /** The CSS variables `--renzheng-…` in force at the container. */
  theme() {
    const style = getComputedStyle(this.place);
    const named = THEME.map((name) => [`--renzheng-${name}`, style.getPropertyValue(`--renzheng-${name}`).trim()]);
    return Object.fromEntries(named.filter(([, value]) => value !== ""));
  }

  /** @param {Omit<import("./renzheng.js").End, "token">} end */
  finish(end) {
    if (this.ended) return;
    this.ended = true;
    clearTimeout(this.timer);
    removeEventListener("message", this.receive);
    this.options.signal?.removeEventListener("abort", this.abort);
    this.frame.remove();
    this.done({ ...end, token: this.options.token });
  }
}
