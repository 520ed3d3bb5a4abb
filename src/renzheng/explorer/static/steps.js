/** The signature step by step, and where another one differs from it. */

import { h, one } from "/static/dom.js";
import { codeBox, copyButton, cutAfter } from "./pieces.js";
import { firstDifference } from "./sign.js";

const SHOWN = 600; // characters of a body

/** The request as it goes over the wire, which `renzheng explain` reads too. */
export function rawRequest(host, signed, body) {
  const head = ["POST / HTTP/1.1", `Host: ${host}`, ...signed.headers.map(([name, value]) => `${name}: ${value}`)];
  return `${head.join("\n")}\n\n${body}`;
}

export class Steps {
  /**
   * @param {(key: string, values?: object) => string} t
   * @param {{text: string}} timestamp what is fixed, empty for now; changed in place
   * @param {() => void} onchange
   */
  constructor(t, timestamp, onchange) {
    this.t = t;
    this.texts = { canonical: "", toSign: "", authorization: "", request: "" };
    this.parts = {
      canonical: this.step("canonical", "stepCanonical", "stepCanonicalText"),
      toSign: this.step("toSign", "stepToSign", "stepToSignText"),
      authorization: this.step("authorization", "stepAuthorization", "stepAuthorizationText"),
      request: this.step("request", "stepRequest", "stepRequestText"),
    };
    this.theirs = h("textarea", {
      id: "theirs", rows: 4, spellcheck: "false", "aria-describedby": "theirs-text", oninput: () => this.compare(),
    });
    this.verdict = h("div", { class: "verdict", role: "status" });
    const fixed = h("input", {
      id: "timestamp", type: "text", inputmode: "numeric", autocomplete: "off", value: timestamp.text,
      "aria-describedby": "timestamp-text",
      oninput: (event) => {
        timestamp.text = event.target.value.replace(/\D/g, "").slice(0, 10);
        event.target.value = timestamp.text;
        onchange();
      },
    });
    this.missing = h("p", { class: "empty" }, t("stepsNeedKey"));
    this.present = h("div", {},
      h("p", { class: "lead" }, t("stepsLead")),
      h("ol", { class: "steps" }, Object.values(this.parts).map(({ element }) => element)),
      h("div", { class: "compare" },
        h("label", { for: "theirs" }, t("compare")),
        h("p", { class: "about", id: "theirs-text" }, t("compareText")), this.theirs, this.verdict),
      h("div", { class: "row" }, h("label", { for: "timestamp" }, t("timestamp")), fixed,
        h("p", { class: "about", id: "timestamp-text" }, t("timestampText"))));
    this.element = h("div", { class: "panel" }, this.missing, this.present);
    this.show(undefined);
  }

  step(name, title, text) {
    const box = codeBox(this.t(title), { class: "wrapped", "data-step": name });
    return { box, element: h("li", {},
      h("div", { class: "box-head" },
        h("h3", {}, this.t(title)), copyButton(this.t, () => this.texts[name], this.t(title))),
      h("p", { class: "about" }, this.t(text)), box) };
  }

  /** @param {{signed: object, host: string, body: string} | undefined} call */
  show(call) {
    this.missing.hidden = call !== undefined;
    this.present.hidden = call === undefined;
    if (!call) return;
    const { signed, host, body } = call;
    this.texts = {
      canonical: signed.canonicalRequest,
      toSign: signed.stringToSign,
      authorization: signed.authorization,
      request: rawRequest(host, signed, body),
    };
    const shown = { ...this.texts, request: rawRequest(host, signed, cutAfter(this.t, body, SHOWN)) };
    for (const [name, { box }] of Object.entries(this.parts)) one(box, "code").textContent = shown[name];
    this.compare();
  }

  compare() {
    const theirs = this.theirs.value;
    if (!theirs.trim()) {
      this.verdict.replaceChildren();
      return;
    }
    const ours = theirs.trimStart().startsWith("TC3-") ? this.texts.toSign : this.texts.canonical;
    const found = firstDifference(ours, theirs);
    this.verdict.dataset.same = String(!found);
    const line = (key, text) => [h("dt", {}, this.t(key)), h("dd", { translate: "no" }, text || "∅")];
    this.verdict.replaceChildren(...(found
      ? [h("p", {}, this.t("compareLine", { line: found.line })),
        h("dl", {}, line("compareOurs", found.ours), line("compareTheirs", found.theirs))]
      : [h("p", {}, this.t("compareSame"))]));
  }
}
