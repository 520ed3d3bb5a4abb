/** What surrounds the page: a merchant's page that frames it, an app's WebView, a return address, or nothing. */

import { signIdentity } from "../sdk/renzheng.js";

const MARK = "renzheng";

/** Names of CSS variables that a framing page may set, and the kind of value each takes. @type {Record<string, string>} */
const THEME = {
  "--renzheng-accent": "color", "--renzheng-on-accent": "color", "--renzheng-background": "color",
  "--renzheng-surface": "color", "--renzheng-ink": "color", "--renzheng-muted": "color", "--renzheng-line": "color",
  "--renzheng-seal": "color", "--renzheng-radius": "border-radius", "--renzheng-font": "font-family",
};

/** @returns {{token: string, code: string, options: URLSearchParams}} of `#TOKEN.CODE&language=…` */
export function readFragment(fragment = location.hash) {
  const [head, ...rest] = fragment.replace(/^#/, "").split("&");
  const [token, code = ""] = decodeURIComponent(head).split(".");
  return { token, code, options: new URLSearchParams(rest.join("&")) };
}

export class Host {
  constructor() {
    /** The one origin that this page was served for; empty if it is not framed. */
    this.origin = document.querySelector('meta[name="renzheng-origin"]')?.getAttribute("content") ?? "";
    this.framed = window.parent !== window && this.origin !== "";
    const back = readFragment().options.get("return");
    this.returnUrl = this.origin && back ? this.checkedReturn(back) : undefined;
    /** @type {any} the object that an app added to its WebView */
    const app = window;
    /** @type {{postMessage: (text: string) => void} | undefined} */
    this.native = app.renzhengHost ?? app.webkit?.messageHandlers?.renzhengHost;
    /** @type {Map<string, (signature: string) => void>} */
    this.pending = new Map();
    if (this.framed) addEventListener("message", (event) => this.receive(event));
  }

  /** An address on the named origin, or undefined, as nobody is sent elsewhere. @param {string} address */
  checkedReturn(address) {
    try {
      const url = new URL(address, this.origin);
      return url.origin === this.origin && /^https?:$/.test(url.protocol) ? url : undefined;
    } catch {
      return undefined;
    }
  }

  /** Whether a page or app continues after this page. */
  get attended() {
    return this.framed || this.native !== undefined || this.returnUrl !== undefined;
  }

  /** @param {Record<string, unknown>} message */
  post(message) {
    const whole = { [MARK]: 1, ...message };
    if (this.framed) window.parent.postMessage(whole, this.origin);
    this.native?.postMessage(JSON.stringify(whole));
  }

  /** @param {Record<string, unknown>} event progress, without anything personal */
  event(event) {
    this.post({ type: "event", event });
  }

  /** The verification ends here for this page. @param {{code: number, passed?: boolean, message: string}} result */
  end(result) {
    this.post({ type: "end", ...result });
    if (this.returnUrl && !this.framed && !this.native) {
      this.returnUrl.searchParams.set("renzheng_code", String(result.code));
      location.replace(this.returnUrl);
    }
  }

  /** @param {MessageEvent} event */
  receive(event) {
    if (event.source !== window.parent || event.origin !== this.origin || event.data?.[MARK] !== 1) return;
    if (event.data.type === "theme") applyTheme(event.data.theme ?? {});
    if (event.data.type === "identity") {
      this.pending.get(event.data.nonce)?.(event.data.signature);
      this.pending.delete(event.data.nonce);
    }
  }

  /**
   * Signs as the device that made Meta: the framing page holds the key, else this origin does.
   * @param {string} nonce @param {string} token @returns {Promise<string>}
   */
  identify(nonce, token) {
    if (!this.framed) return signIdentity(nonce, token);
    return new Promise((done) => {
      this.pending.set(nonce, done);
      this.post({ type: "identify", nonce });
    });
  }
}

/** @param {Record<string, string>} theme unknown names and values of another kind are left out */
export function applyTheme(theme) {
  for (const [name, value] of Object.entries(theme)) {
    if (THEME[name] && typeof value === "string" && !/url\(/i.test(value) && CSS.supports(THEME[name], value)) {
      document.documentElement.style.setProperty(name, value);
    }
  }
}
