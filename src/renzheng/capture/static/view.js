/** The layout of every screen: a bar, the oval, a few words, buttons in reach of the thumb. */

import { h } from "./dom.js";
import { head, icon, ring, seal } from "./glyphs.js";
import { translate } from "./texts.js";

/** @typedef {import("./effects.js").Way} Way */

/** What the buttons beside the picture say. @type {Partial<Record<Way, string>>} */
const LABELS = { another: "anotherCamera", ease: "ease", decline_light: "declineLight", cancel: "cancel" };

const HINT_SETTLES_MS = 250; // a hint has to stay this long before it is shown,
const HINT_STAYS_MS = 900; // and is then shown at least this long, so that nothing flickers

/**
 * @typedef {object} Screen
 * @property {string} name for tests, events and styles
 * @property {any} [art] what is in the oval
 * @property {"calm" | "good" | "warn"} [tone]
 * @property {string} title
 * @property {any[]} [words] below the title
 * @property {any} [caution] above the actions, wherever they are
 * @property {{way: Way, label: string, act: () => void, kind?: string, leaves?: boolean}[]} [actions] `leaves`: a way
 *   out, which is open even while the page waits for what another action began
 * @property {() => void} [tick] called every second
 */

export class View {
  /**
   * @param {HTMLElement} root @param {import("./language.js").Language} language
   * @param {(language: import("./language.js").Language) => void} onlanguage
   * @param {import("./voice.js").Voice} voice
   */
  constructor(root, language, onlanguage, voice) {
    this.root = root;
    this.voice = voice;
    this.name = "";
    this.language = language;
    this.onlanguage = onlanguage;
    this.account = "";
    /** @type {CaptureView | undefined} */
    this.capture = undefined;
    /** @type {(() => Screen) | undefined} what shows the present screen again */
    this.make = undefined;
    this.polite = h("div", { class: "heard", role: "status", "aria-live": "polite" });
    this.assertive = h("div", { class: "heard", role: "alert", "aria-live": "assertive" });
    this.bar = h("header", { class: "bar" });
    this.stage = h("main", { class: "stage" });
    root.replaceChildren(this.bar, this.stage, this.polite, this.assertive);
  }

  /** @param {string} key @param {Record<string, string | number>} [values] */
  t(key, values) {
    return translate(this.language, key, { account: this.account || translate(this.language, "someone"), ...values });
  }

  /** @param {() => Screen} make called again when the language changes */
  show(make) {
    const changed = this.make !== make;
    this.make = make;
    this.capture = undefined;
    const screen = make();
    clearInterval(this.ticker);
    if (screen.tick) this.ticker = setInterval(screen.tick, 1000);
    this.frame(screen.name, screen.tone ?? "calm");
    const heading = h("h1", { tabindex: "-1" }, screen.title);
    this.stage.className = "stage";
    this.stage.replaceChildren(
      h("div", { class: "oval" }, h("div", { class: "ripples" }), h("div", { class: "art" }, screen.art)),
      h("div", { class: "words" }, heading, screen.words),
      h("div", { class: "actions" }, screen.caution && h("p", { class: "caution" }, screen.caution),
        (screen.actions ?? []).map((action) => this.button(action))));
    this.root.toggleAttribute("data-waits", changed ? false : this.root.hasAttribute("data-waits"));
    if (changed && screen.name !== "opening") heading.focus({ preventScroll: true });
    // Announcements for the previous screen no longer apply.
    this.polite.textContent = this.assertive.textContent = "";
    if (changed) this.voice.say([...this.stage.querySelectorAll("h1, .lead")].map((part) => part.textContent).join(" "), this.language);
    scrollTo(0, 0);
  }

  /**
   * A button that does nothing while the page waits, unless it `leaves`. It keeps the focus meanwhile.
   * @param {NonNullable<Screen["actions"]>[number]} action
   */
  button({ way, label, act, kind = "primary", leaves = false }) {
    const open = () => leaves || !this.root.hasAttribute("data-waits");
    return h("button", { type: "button", class: kind, "data-way": way, "data-leaves": leaves, onclick: () => open() && act() }, label);
  }

  /** The link was copied. */
  copied() {
    const button = this.stage.querySelector('[data-way="copy"]');
    if (button) button.textContent = this.t("copied");
  }

  /** The pressed button takes a moment: its screen stays, and says so, until another is shown. */
  wait() {
    this.root.toggleAttribute("data-waits", true);
  }

  /**
   * Shows the camera and what is asked.
   * @param {HTMLVideoElement} video @param {(way: Way) => void} act what the person pressed
   */
  showCapture(video, act) {
    const capture = new CaptureView(this, video, act);
    this.make = undefined;
    this.capture = capture;
    clearInterval(this.ticker);
    this.root.toggleAttribute("data-waits", false);
    this.frame("capture", "calm");
    this.stage.className = "stage capture";
    this.stage.replaceChildren(...capture.parts);
    capture.update();
    capture.ask.focus({ preventScroll: true });
    scrollTo(0, 0);
    return capture;
  }

  /** @param {string} name @param {string} [tone] */
  frame(name, tone = "calm") {
    document.documentElement.lang = this.language;
    document.title = this.t("title");
    if (name !== "capture") this.shine(undefined);
    this.name = name;
    this.root.dataset.screen = name;
    this.root.dataset.hint = ""; // a hint belongs to the screen before
    this.root.dataset.tone = tone;
    const other = this.language === "zh-CN" ? "en-US" : "zh-CN";
    this.bar.replaceChildren(...[
      h("span", { class: "brand" }, seal(), h("span", { class: "brand-name" }, this.account || this.t("brand"))),
      this.voice.able && h("button", {
        type: "button", class: "voice", "aria-pressed": String(this.voice.on), "aria-label": this.t("voice"), title: this.t("voice"),
        onclick: () => this.setVoice(!this.voice.on),
      }, icon(this.voice.on ? "voice" : "voiceOff")),
      h("button", { type: "button", class: "language", lang: other, onclick: () => this.setLanguage(other) }, this.t("language")),
    ].filter((part) => part !== false));
  }

  /** @param {boolean} on */
  setVoice(on) {
    this.voice.turn(on);
    this.frame(this.name, this.root.dataset.tone);
    this.voice.say(this.stage.querySelector("h1")?.textContent ?? "", this.language);
    this.focusOn(".voice");
  }

  /** @param {string} selector of a button of the bar, which was made anew */
  focusOn(selector) {
    /** @type {HTMLElement | null} */ (this.bar.querySelector(selector))?.focus();
  }

  /** @param {import("./language.js").Language} language */
  setLanguage(language) {
    this.language = language;
    this.onlanguage(language);
    if (this.capture) {
      this.frame("capture", "calm");
      this.capture.update();
    } else if (this.make) this.show(this.make);
    this.focusOn(".language");
  }

  /** Fills the whole screen with a colour, at once; undefined ends it. @param {string | undefined} colour */
  shine(colour) {
    const page = document.documentElement;
    page.toggleAttribute("data-light", colour !== undefined);
    if (colour !== undefined) page.style.setProperty("--shine", colour);
  }

  /** Says something to people who listen rather than look. @param {string} text */
  say(text, urgent = false) {
    const region = urgent ? this.assertive : this.polite;
    if (region.textContent === text) return;
    region.textContent = text;
    this.voice.say(text, this.language);
  }
}

/**
 * @typedef {object} CaptureState
 * @property {"preparing" | "step" | "judging"} phase
 * @property {string} action
 * @property {number} index
 * @property {number} of
 * @property {string | null} hint
 * @property {string | null} notice what is said in the place of a hint
 * @property {number} [until] milliseconds of the page's clock
 * @property {string} [colour]
 * @property {boolean} again
 */

/** What is on the screen while the camera runs. `state` is plain data; `update` draws it. */
class CaptureView {
  /** @param {View} view @param {HTMLVideoElement} video @param {(way: Way) => void} act */
  constructor(view, video, act) {
    this.view = view;
    this.act = act;
    /** @type {Map<Way, HTMLElement>} */
    this.offered = new Map();
    /** @type {string | null} the hint on the screen */
    this.shown = null;
    /** @type {CaptureState} */
    this.state = {
      phase: "preparing", action: "idle", index: 0, of: 0, hint: null, until: undefined, notice: null, colour: undefined, again: false,
    };
    this.video = video;
    this.ring = ring();
    this.glyph = h("div", { class: "glyph" });
    this.ask = h("h1", { tabindex: "-1" });
    this.note = h("p", { class: "note" });
    this.count = h("p", { class: "count" });
    this.hint = h("p", { class: "hint" });
    this.actions = h("div", { class: "actions" });
    this.tick = h("div", { class: "tick", "aria-hidden": "true" }, icon("check"));
    this.parts = [
      h("div", { class: "oval live" }, h("div", { class: "lens" }, video), this.ring.element, this.tick),
      h("div", { class: "words" }, this.glyph, this.ask, this.note),
      h("div", { class: "below" }, this.hint, this.count),
      this.actions,
    ];
  }

  /** What the person can do here. A button that stays keeps the focus. @param {Way[]} ways */
  offer(ways) {
    for (const [way, button] of this.offered) {
      if (ways.includes(way)) continue;
      if (button === document.activeElement) this.ask.focus({ preventScroll: true });
      button.remove();
      this.offered.delete(way);
    }
    for (const [index, way] of ways.entries()) {
      const button = this.offered.get(way) ?? h("button", { type: "button", class: "quiet", onclick: () => this.act(way) });
      this.offered.set(way, button);
      if (this.actions.children[index] !== button) this.actions.insertBefore(button, this.actions.children[index] ?? null);
    }
    this.update();
  }

  /** @param {Partial<CaptureState>} change */
  set(change) {
    const before = this.state;
    this.state = { ...before, ...change };
    const { phase, index } = this.state;
    if (phase === "step" && (before.phase !== "step" || before.index !== index)) this.begin(before);
    this.update();
  }

  /** @param {CaptureState} before */
  begin(before) {
    // Colours follow each other by themselves, so there is nothing to tick off.
    if (before.phase === "step" && this.state.index > before.index && before.index <= this.state.of) {
      this.tick.classList.remove("shown");
      void this.tick.offsetWidth; // restarts the animation
      this.tick.classList.add("shown");
      navigator.vibrate?.(30);
    }
    this.state.hint = null;
    this.showHint(null);
  }

  update() {
    const { phase, action, index, of, notice, colour, again } = this.state;
    const asked = phase === "step";
    const lit = asked && colour !== undefined;
    const warns = asked && action === "light_warning";
    this.view.shine(lit ? colour : undefined);
    this.view.root.dataset.phase = phase;
    for (const [way, button] of this.offered) button.textContent = this.view.t(LABELS[way] ?? way);
    // The same action twice in a row: without other words, nobody could tell that it was seen and is asked again.
    const words = again ? `${action}_again` : action;
    const title = this.view.t(lit ? "neutral" : asked ? words : phase === "judging" ? "judging" : "preparing");
    if (this.ask.textContent !== title) {
      this.ask.textContent = title;
      this.view.say(title, asked);
    }
    const drawn = asked && !lit ? action : "idle";
    if (this.glyph.dataset.action !== drawn) {
      this.glyph.dataset.action = drawn;
      this.glyph.replaceChildren(warns ? icon("colours") : head(drawn));
    }
    this.note.textContent = phase === "judging" ? this.view.t("judgingText")
      : lit ? "" : warns ? this.view.t("lightWarningText")
      : asked && index > 0 ? this.view.t("step", { index, of }) : this.view.t("preparingText");
    // Looking straight is the first arc; `of` counts the actions after it.
    const arcs = asked || phase === "judging" ? of + 1 : 0;
    this.ring.show(phase === "judging" ? arcs : index, arcs);
    if (notice) this.showHint(notice);
    else this.settleHint();
    this.showTime();
  }

  showTime() {
    clearTimeout(this.clock);
    const { phase, until, notice, index, of } = this.state;
    const left = phase === "step" && index <= of && until !== undefined ? Math.max(0, Math.ceil((until - performance.now()) / 1000)) : undefined;
    this.count.textContent = left === undefined || left > 20 || notice ? "" : this.view.t("secondsLeft", { n: left });
    this.count.classList.toggle("short", left !== undefined && left <= 3);
    if (left !== undefined) this.clock = setTimeout(() => this.video.isConnected && this.showTime(), 250);
  }

  settleHint() {
    clearTimeout(this.hintTimer);
    const wait = Math.max(HINT_SETTLES_MS, (this.hintSince ?? 0) + HINT_STAYS_MS - performance.now());
    if (this.state.hint === this.shown) this.showHint(this.shown);
    else this.hintTimer = setTimeout(() => this.showHint(this.state.notice ?? this.state.hint), wait);
  }

  /** @param {string | null} code */
  showHint(code) {
    if (code !== this.shown) this.hintSince = performance.now();
    this.shown = code;
    const text = code ? this.view.t(code) : "";
    if (this.hint.dataset.text === text) return;
    this.hint.dataset.text = text;
    this.hint.replaceChildren(...(text ? [icon("hint"), h("span", {}, text)] : []));
    this.view.root.dataset.hint = code ?? "";
    this.view.say(text); // nothing, too: what was said before is over
  }
}
