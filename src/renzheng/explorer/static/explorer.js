/** The page as a whole: actions at the left, the form, and at the right code, signature and result. */

import { h, one } from "/static/dom.js";
import { icon, seal } from "/static/glyphs.js";
import { chooseLanguage } from "/static/language.js";
import { CodePanel } from "./code.js";
import { makeForm } from "./form.js";
import { command, tabList } from "./pieces.js";
import { showReply } from "./reply.js";
import { canSign, sign } from "./sign.js";
import { Steps } from "./steps.js";
import { translate } from "./texts.js";
import { read } from "./values.js";

const SETTLES_MS = 120; // a body of megabytes is not signed anew at every keystroke
const PREFERRED_REGION = "ap-guangzhou"; // the one in everybody's examples
// Safari and Chrome can mask a text that is not a password field, which the browser would offer to store.
const MASKED_TEXT = CSS.supports("-webkit-text-security", "disc");

class Explorer {
  /** @param {HTMLElement} root @param {any} description what `/explorer/description.json` says */
  constructor(root, description) {
    this.root = root;
    this.description = description;
    this.language = chooseLanguage(navigator.languages);
    this.credential = { secretId: "", secretKey: "", token: "" };
    /** @type {string[]} */
    this.regions = [...new Set(description.actions.flatMap(({ regions }) => regions ?? []))].sort();
    /** @type {Record<string, Record<string, import("./values.js").Entered>>} by action and parameter */
    this.entered = Object.fromEntries(description.actions.map(({ name }) => [name, {}]));
    this.timestamp = { text: "" };
    this.tab = "code";
    this.sample = { id: "python" };
    this.runs = 0;
    /** @type {import("./reply.js").Exchange | undefined} */
    this.exchange = undefined;
    this.action = this.named(location.hash.slice(1)) ?? description.actions[0];
    this.region = PREFERRED_REGION;
    addEventListener("hashchange", () => {
      const asked = this.named(location.hash.slice(1));
      if (!asked || asked === this.action) return;
      this.open(asked.name);
      one(this.root, "[aria-current]").focus();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.send();
    });
    // What `draw` makes:
    /** @type {import("./form.js").Form} */
    this.form;
    /** @type {Steps} */
    this.steps;
    /** @type {CodePanel} */
    this.code;
    /** @type {HTMLElement} */
    this.resultPanel;
    /** @type {ReturnType<typeof tabList>} */
    this.tabs;
    /** @type {HTMLElement} */
    this.side;
    /** @type {HTMLElement} */
    this.heard;
    /** @type {HTMLElement} */
    this.complaint;
    /** @type {HTMLButtonElement} */
    this.button;
    followTheme();
    this.draw();
  }

  t = (key, values) => translate(this.language, key, values);

  named(name) {
    return this.description.actions.find((action) => action.name === name);
  }

  // -- drawing --

  draw() {
    const { t, language } = this;
    document.documentElement.lang = language;
    document.title = `${t("title")} · ${t("brand")}`;
    this.form = makeForm({
      t, language, parameters: this.action.parameters, entered: this.entered[this.action.name],
      limits: this.description.limits, onchange: () => this.changed(),
    });
    this.steps = new Steps(t, this.timestamp, () => this.changed());
    this.code = new CodePanel(t, this.sample);
    this.resultPanel = h("div", { class: "panel" });
    this.tabs = tabList([
      { id: "code", label: t("code"), panel: this.code.element },
      { id: "signature", label: t("signature"), panel: this.steps.element },
      { id: "result", label: t("result"), panel: this.resultPanel },
    ], this.tab, (id) => this.choose(id), t("result"));
    const panels = [this.code.element, this.steps.element, this.resultPanel];
    this.side = h("section", { class: "side", "aria-label": t("result"), "aria-busy": "true" }, this.tabs.list, panels);
    const form = [this.heading(), !canSign() && this.insecure(), this.credentials(), this.request(), this.foot()];
    this.heard = h("div", { class: "heard", role: "status" });
    this.root.replaceChildren(this.bar(), this.actions(), h("main", { class: "middle" }, form), this.side, this.heard);
    this.drawResult();
    this.refresh();
  }

  bar() {
    const { t } = this;
    const other = this.language === "zh-CN" ? "en-US" : "zh-CN";
    const skip = () => one(this.side, "[aria-selected=true]").focus();
    const speak = () => this.speak(other);
    return h("header", { class: "bar" },
      h("button", { type: "button", class: "skip", onclick: skip }, t("skip")),
      h("span", { class: "brand" }, seal(),
        h("span", { class: "brand-name" }, t("brand")), h("span", { class: "brand-page" }, t("title"))),
      h("span", { class: "endpoint", translate: "no" }, location.origin),
      h("button", { type: "button", class: "language", lang: other, onclick: speak }, t("language")));
  }

  speak(language) {
    this.language = language;
    this.draw();
    one(this.root, ".language").focus();
  }

  actions() {
    return h("nav", { class: "actions", "aria-label": this.t("actions") },
      h("h2", {}, this.t("actions")),
      h("ul", {}, this.description.actions.map((action) => h("li", {},
        h("a", { href: `#${action.name}`, "aria-current": action === this.action ? "page" : undefined },
          h("span", { class: "action-name", translate: "no" }, action.name),
          h("span", { class: "action-text" }, action.text?.[this.language]))))));
  }

  heading() {
    return h("div", { class: "heading" },
      h("h1", { translate: "no" }, this.action.name),
      h("p", { class: "lead" }, this.action.text?.[this.language]));
  }

  insecure() {
    const port = location.port || "80";
    return h("div", { class: "notice", role: "note", id: "insecure" },
      h("h3", {}, icon("lock"), this.t("insecureTitle")),
      h("p", {}, this.t("insecureText")),
      h("ul", {},
        h("li", {}, this.t("insecureTunnel", { local: `http://127.0.0.1:${port}/explorer` }), h("br"),
          command(`ssh -L ${port}:127.0.0.1:${port} ${location.hostname}`)),
        h("li", {}, this.t("insecureLan"), h("br"), command("renzheng serve --lan"))));
  }

  credentials() {
    const { t, credential } = this;
    const field = (key, label, secret) => {
      const input = h("input", {
        id: `key-${key}`, type: secret && !MASKED_TEXT ? "password" : "text", class: secret ? "secret" : undefined,
        value: credential[key], autocomplete: "off", autocapitalize: "off", spellcheck: "false", translate: "no",
        oninput: () => { credential[key] = input.value.trim(); this.changed(); },
      });
      const reveal = secret && h("button", { type: "button", class: "reveal", "aria-pressed": "false", onclick: () => {
        const shown = reveal.getAttribute("aria-pressed") === "true";
        reveal.setAttribute("aria-pressed", String(!shown));
        reveal.textContent = t(shown ? "show" : "hide");
        if (MASKED_TEXT) input.classList.toggle("secret", shown);
        else input.type = shown ? "password" : "text";
      } }, t("show"));
      return h("div", { class: "row" }, h("label", { for: input.id, translate: "no" }, t(label)),
        h("div", { class: "with-button" }, input, reveal));
    };
    return h("section", { class: "card" },
      h("h2", {}, t("credential")),
      field("secretId", "secretId", false),
      field("secretKey", "secretKey", true),
      h("details", { class: "temporary", open: Boolean(credential.token) }, h("summary", {}, t("temporary")),
        field("token", "token", true), h("p", { class: "about" }, t("tokenNote"))),
      h("p", { class: "promise" }, icon("lock"), h("span", {}, t("credentialNote"))),
      h("p", { class: "about" }, t("keyHow"), " ", command("renzheng key show")));
  }

  request() {
    const { t } = this;
    const entered = this.entered[this.action.name];
    const examples = this.action.parameters.filter(({ example }) => example);
    const offered = this.action.regions ?? ["", ...this.regions];
    if (!offered.includes(this.region)) this.region = offered.includes(PREFERRED_REGION) ? PREFERRED_REGION : offered[0];
    return h("section", { class: "card" },
      h("div", { class: "card-head" }, h("h2", {}, t("parameters")),
        examples.length > 0 && h("button", { type: "button", class: "quiet", id: "example", onclick: () => {
          for (const { name, example } of examples) entered[name] = { text: example };
          this.draw();
          one(this.root, "#example").focus();
        } }, t("example")),
        h("button", { type: "button", class: "quiet", id: "clear", onclick: () => {
          this.entered[this.action.name] = {};
          this.draw();
          one(this.root, "#clear").focus();
        } }, t("clear"))),
      this.form.element,
      h("div", { class: "row" },
        h("label", { for: "region" }, t("region")),
        h("span", { class: "select" }, h("select", {
          id: "region", "aria-describedby": "region-text", translate: "no",
          onchange: (event) => { this.region = event.target.value; this.changed(); },
        }, offered.map((region) =>
          h("option", { value: region, selected: region === this.region }, region || `— ${t("regionNone")}`)))),
        h("p", { class: "about", id: "region-text" }, t("regionText"))));
  }

  foot() {
    this.complaint = h("p", { class: "complaint", role: "alert" });
    this.button = h("button", {
      type: "button", class: "primary", id: "send", disabled: !canSign(), onclick: () => this.send(),
    }, this.t("send"));
    const hint = h("span", { class: "hint", "aria-hidden": "true" }, this.t("sendHint"));
    return h("div", { class: "foot" }, this.complaint, this.button, hint);
  }

  drawResult() {
    this.resultPanel.replaceChildren(showReply({
      t: this.t, language: this.language, exchange: this.exchange, errors: this.description.errors,
      hasResult: Boolean(this.named("GetFaceIdResult")),
      acts: { fetchResult: (token) => this.fetchResult(token), showSteps: () => this.choose("signature") },
    }));
  }

  // -- navigation --

  choose(tab) {
    this.tab = tab;
    this.tabs.choose(tab);
  }

  open(name) {
    this.action = this.named(name);
    if (location.hash.slice(1) !== name) history.replaceState(null, "", `#${name}`);
    this.draw();
  }

  fetchResult(token) {
    this.entered.GetFaceIdResult.FaceIdToken = { text: token };
    this.open("GetFaceIdResult");
    this.form.focus("FaceIdToken");
  }

  // -- the form's values --

  changed() {
    this.side.setAttribute("aria-busy", "true"); // until it shows what is in the form
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.refresh(), SETTLES_MS);
  }

  /** The form as it is now, signed where it can be. */
  async call() {
    const { body, values, problems } = read(this.action.parameters, this.entered[this.action.name]);
    const call = {
      service: this.action.service,
      version: this.action.version,
      action: this.action.name,
      region: this.region,
      language: this.language,
      scheme: location.protocol.slice(0, -1),
      host: location.host,
      temporary: Boolean(this.credential.token),
      body: JSON.stringify(body),
      values,
      timestamp: Number(this.timestamp.text) || Math.floor(Date.now() / 1000),
    };
    const { secretId, secretKey } = this.credential;
    const signed = canSign() && secretId && secretKey ? await sign(this.credential, call) : undefined;
    return { ...call, signed, problems };
  }

  async refresh() {
    const run = ++this.runs;
    const call = await this.call();
    if (run !== this.runs) return; // something was typed meanwhile
    this.show(call);
  }

  show(call) {
    this.form.mark(call.problems);
    this.code.show(call);
    this.steps.show(call.signed && call);
    this.side.removeAttribute("aria-busy");
    if (call.signed && Object.keys(call.problems).length === 0) this.complaint.textContent = "";
  }

  // -- sending --

  async send() {
    if (!canSign() || this.button.disabled) return;
    clearTimeout(this.settling);
    this.runs += 1;
    const call = await this.call();
    this.show(call);
    const [wrong] = Object.keys(call.problems);
    if (wrong) {
      this.complaint.textContent = this.t("needMending");
      this.form.focus(wrong);
    } else if (!call.signed) {
      this.complaint.textContent = this.t("needKey");
      one(this.root, this.credential.secretId ? "#key-secretKey" : "#key-secretId").focus();
    } else await this.exchangeWith(call);
  }

  async exchangeWith(call) {
    const { action, host, signed } = call;
    this.busy(true);
    const began = performance.now();
    /** @type {import("./reply.js").Exchange} */
    const exchange = { action, host, signed, sentBody: call.body, milliseconds: 0 };
    try {
      const reply = await fetch("/", {
        method: "POST", headers: signed.headers, body: signed.body, credentials: "omit", cache: "no-store",
      });
      exchange.text = await reply.text();
      exchange.status = reply.status;
      const date = Date.parse(reply.headers.get("Date") ?? "");
      if (!Number.isNaN(date)) exchange.clock = (Date.now() - date) / 1000;
      exchange.json = parsed(exchange.text);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // what fetch calls a lost connection
    } finally {
      exchange.milliseconds = performance.now() - began;
      this.busy(false);
    }
    this.exchange = exchange;
    this.drawResult();
    this.choose("result");
    this.heard.textContent = one(this.side, ".facts").textContent;
    if (this.side.getBoundingClientRect().top > innerHeight * 0.6) this.side.scrollIntoView({ block: "start" });
  }

  busy(on) {
    this.button.disabled = on;
    this.button.textContent = this.t(on ? "sending" : "send");
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function followTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const set = () => (document.documentElement.dataset.theme = dark.matches ? "dark" : "light");
  dark.addEventListener("change", set);
  set();
}

async function begin() {
  const root = one(document, "#explorer");
  try {
    const reply = await fetch("/explorer/description.json", { credentials: "omit" });
    if (!reply.ok) throw new TypeError(String(reply.status));
    new Explorer(root, await reply.json());
  } catch (error) {
    const sentence = translate(chooseLanguage(navigator.languages), "loadFailed");
    root.replaceChildren(h("p", { class: "noscript", role: "alert" }, sentence));
    throw error;
  }
}

begin();
