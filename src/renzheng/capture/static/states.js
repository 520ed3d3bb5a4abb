/** The machine's knowledge of a verification, and what it does and shows on entering each state of `table.js`. */

import { CLOSES } from "./protocol.js";
import { TABLE } from "./table.js";

/**
 * @typedef {import("./effects.js").Effect} Effect
 * @typedef {import("./effects.js").Way} Way
 * @typedef {import("./protocol.js").AttemptOver} AttemptOver
 * @typedef {import("./protocol.js").CameraNote} CameraNote
 * @typedef {import("./protocol.js").DeviceMessage} DeviceMessage
 * @typedef {import("./protocol.js").Outcome} Outcome
 * @typedef {import("./protocol.js").Step} Step
 * @typedef {import("./protocol.js").Welcome} Welcome
 * @typedef {import("./table.js").State} State
 */

export class States {
  /** @param {{attended: boolean, phone: boolean}} around whether a host page or app continues afterwards; whether this is a phone */
  constructor({ attended, phone }) {
    this.attended = attended;
    this.phone = phone;
    /** @type {State} */
    this.state = "new";
    /** When the `late` event is due, in milliseconds. */
    this.deadline = Infinity;
    this.now = 0;
    /** @type {Effect[]} */
    this.out = [];
    /** The nonce of the step that is on the screen and painted, for frames taken now. */
    this.nonce = /** @type {string | undefined} */ (undefined);
    /** Whether an attempt of this device is under way on the server. */
    this.running = false;
    this.up = this.filming = this.hidden = this.noCamera = this.eases = this.alone = this.agreed = false;
    /** Whether help was asked for while there was no connection. */
    this.owesEase = false;
    this.silences = this.cameras = this.left = 0;
    /** @type {Welcome | undefined} */
    this.welcome = undefined;
    this.expires = 0;
    /** The step on the screen, and one that came while there was no picture yet. */
    this.step = /** @type {(Step & {until: number}) | undefined} */ (undefined);
    this.pending = /** @type {(Step & {until: number}) | undefined} */ (undefined);
    this.turn = { position: 1, seconds: 0 };
    this.hint = /** @type {string | undefined} */ (undefined);
    /** How the end is reported to the page or app around this page. */
    this.ending = /** @type {{code: number, message: string, passed?: boolean}} */ ({ code: 212, message: "the person left" });
  }

  /** @param {string} move @param {any} [detail] @returns {boolean} whether the present state knows the move */
  go(move, detail = {}) {
    const next = TABLE[this.state].on[move];
    if (next === undefined) return false;
    const before = this.state;
    this.state = next;
    this.setDeadline(next);
    /** @type {any} */ (this)[`enter_${next}`](detail, before);
    return true;
  }

  /** @param {State} state */
  setDeadline(state) {
    const [ms] = TABLE[state].limit ?? [Infinity];
    this.deadline = this.now + ms;
  }

  /** @param {Effect} effect */
  want(effect) {
    this.out.push(effect);
  }

  /** @param {DeviceMessage} message @returns {boolean} whether there is a connection to send it on */
  send(message) {
    if (this.up) this.want({ do: "send", message });
    return this.up;
  }

  /** @param {string} screen @param {(Way | false | undefined)[]} ways @param {Record<string, any>} [data] */
  show(screen, ways, data = {}) {
    this.filming = false;
    this.nonce = undefined;
    this.want({ do: "show", screen, ways: /** @type {Way[]} */ (ways.filter(Boolean)), data });
  }

  /** Shows the camera's picture and the instructions, while frames are sent. */
  film() {
    this.filming = true;
    this.want({ do: "film" });
    this.offer();
  }

  /** @param {Record<string, any>} change of what is shown beside the picture */
  draw(change) {
    if (this.filming) this.want({ do: "draw", change });
  }

  /** Offers the buttons beside the picture. */
  offer() {
    if (!this.filming) return;
    const { index = 0, of = 0, action = "", colour = undefined } = this.step ?? {};
    const warns = action === "light_warning";
    /** @type {(Way | false)[]} */
    const ways = this.state === "judging" ? [] : colour ? ["cancel"] : [
      !warns && this.cameras > 1 && index === 0 && "another",
      !warns && this.eases && index > 0 && index <= of && "ease",
      warns && "decline_light",
      "cancel",
    ];
    this.want({ do: "offer", ways: /** @type {Way[]} */ (ways.filter(Boolean)) });
  }

  /** Returns to the page or app around this page, if there is one. @param {number} code @param {string} message @param {boolean} [passed] */
  leaving(code, message, passed) {
    this.ending = { code, message, ...(passed !== undefined && { passed }) };
    return this.attended && "leave";
  }

  /** Whether a phone can take over. */
  get hands() {
    return Boolean(this.welcome?.handover && !this.welcome.loopback && !this.phone);
  }

  /** If a reopened page finds an attempt under way, the server sends the step by itself. */
  startAttempt() {
    if (this.running) return;
    this.hint = undefined;
    this.running = this.send({ type: "start" });
  }

  // -- what each state does and shows --

  enter_no_token() {
    this.show("no_token", [this.leaving(288, "the link has no token")]);
  }

  /** @param {{probe: string}} detail */
  enter_missing({ probe }) {
    this.show(`missing_${probe}`, ["copy", this.leaving(218, `the browser lacks what is needed: ${probe}`)]);
  }

  enter_opening() {
    this.up = this.running = false;
    this.silences = 0;
    this.step = this.pending = undefined;
    this.show("opening", []);
    this.want({ do: "connect" });
  }

  /** Keeps trying, and tells the person meanwhile what is wrong. */
  enter_connecting() {
    this.show("connecting", ["connect", this.leaving(210, "no connection")]);
  }

  enter_offline() {
    this.want({ do: "hang_up" });
    this.want({ do: "release" });
    this.show("offline", ["connect", this.leaving(210, "no connection")]);
  }

  enter_blocked() {
    this.want({ do: "release" });
    this.show("blocked", ["connect", "copy", this.leaving(210, "WebSockets do not get through: a proxy drops Upgrade")]);
  }

  /** @param {{code: number}} detail */
  enter_closed({ code }) {
    this.want({ do: "release" });
    const [told, message] = CLOSES[code]?.told ?? [213, `closed with ${code}`];
    const retry = code === 4409 || code === 4503;
    // A fault, or an outdated page; all other ends are explained in words.
    const reload = code === 4406 || CLOSES[code]?.told === undefined;
    this.show(`closed_${code}`, [retry && "connect", reload && "reload", this.leaving(told, message)], { code });
  }

  /** @param {{reason?: "light"}} detail */
  enter_cancelled({ reason }) {
    this.show(reason === "light" ? "declined_light" : "cancelled", ["connect"]);
  }

  enter_ready() {
    this.show("ready", ["agree", this.hands && "hand", "cancel"], { welcome: this.welcome, until: this.expires });
  }

  enter_handing() {
    this.want({ do: "close_camera" });
    this.send({ type: "handover" });
    this.show("handing", ["back"]);
  }

  /** @param {import("./protocol.js").Offer} offer */
  enter_handover({ code, modules, expires_in: seconds }) {
    this.deadline = this.now + seconds * 1000;
    this.show("handover", ["back"], { code, modules, until: this.deadline });
  }

  enter_handover_over() {
    this.show("handover_over", ["renew", "back"]);
  }

  enter_asking() {
    this.want({ do: "wait" });
    this.want({ do: "open_camera" });
  }

  enter_explaining() {
    this.show("asking", []);
  }

  enter_looking() {
    this.want({ do: "wait" });
    this.want({ do: "look" });
  }

  enter_tap() {
    this.show("tap", ["tapped"]);
  }

  /** @param {{reason: CameraNote, late?: boolean, waited?: State}} detail */
  enter_camera({ reason, late = false, waited }) {
    const why = late ? (waited === "looking" ? "dark" : "silent") : reason;
    if (why !== "silent") this.want({ do: "close_camera" }); // who answers late is let in still
    this.send({ type: "note", camera: why });
    /** @type {(Way | false)[]} */
    const first = why === "policy" && this.welcome?.handover ? ["alone"]
      : why === "none" ? [this.hands && "hand", "open"] : ["open", this.hands && "hand"];
    // If a browser does not answer, or hides the picture, another browser on the device may work.
    const elsewhere = why === "silent" || why === "blank";
    this.show(`camera_${why}`, [
      ...first, this.cameras > 1 && "another", elsewhere && "copy", this.leaving(why === "refused" ? 215 : 218, `camera: ${why}`),
    ], { hands: this.hands });
  }

  /** An attempt begins, or one under way continues; then its step comes by itself. @param {{late?: boolean}} detail */
  enter_starting({ late = false }) {
    this.nonce = undefined;
    if (!this.filming) this.film();
    if (late) this.want({ do: "drop" }); // the server has been silent for long: a new line, the same attempt
    else if (this.pending) this.go("step", this.pending);
    else this.startAttempt();
  }

  /** Keeps the camera open without sending anything. */
  enter_waiting() {
    this.show("waiting", ["cancel"], { turn: this.turn });
  }

  /** @param {Partial<Step & {until: number}>} step */
  enter_capture(step) {
    if (step.nonce === undefined) return; // only heard
    if (!this.filming) this.film();
    this.step = this.pending ?? this.step;
    const { index, of, action, until, colour, again = false } = step;
    this.draw({ phase: "step", index, of, action, until, colour, again, notice: this.hidden ? "away" : null });
    this.offer();
    this.want({ do: "paint", nonce: step.nonce });
    // Only the person needs to see the colours.
    if (!colour) this.want({ do: "tell", event: { type: "step", index, of, action } });
  }

  enter_lost() {
    this.show("camera_stopped", []);
  }

  enter_reopening() {
    this.want({ do: "open_camera" });
  }

  /** @param {Omit<AttemptOver, "type">} message */
  enter_over(message) {
    this.running = false;
    this.step = this.pending = undefined;
    const ranOut = message.reason === "timeout";
    this.leaving(ranOut ? 222 : 212, "");
    const known = TABLE.over.screens?.includes(`over_${message.reason}`);
    this.show(known ? `over_${message.reason}` : "over_timeout", ["again", this.eases && "ease", "cancel"], {
      ...message, hint: ranOut ? this.hint : undefined,
    });
  }

  enter_judging() {
    this.nonce = undefined;
    if (!this.filming) this.film();
    this.want({ do: "rest" });
    this.draw({ phase: "judging", of: this.step?.of ?? 0, notice: null });
    this.offer();
    this.want({ do: "tell", event: { type: "screen", name: "judging" } });
  }

  enter_judging_slow() {
    this.show("judging_slow", ["connect"]);
  }

  /** @param {Outcome} outcome */
  enter_passed(outcome) {
    this.finish(outcome, "passed");
    this.want({ do: "buzz_good" });
  }

  /** @param {Outcome} outcome */
  enter_not_passed(outcome) {
    this.finish(outcome, outcome.retry === "tomorrow" ? "failed_tomorrow" : "failed");
    this.want({ do: "buzz_bad" });
  }

  /** @param {Outcome} outcome @param {string} screen */
  finish({ passed, advice }, screen) {
    this.want({ do: "release" });
    const leave = this.leaving(0, "finished: fetch the result", passed);
    this.show(screen, [leave], { advice, hint: this.hint, attended: this.attended });
  }

  /** Tries again if nothing came of it the first time. */
  enter_left() {
    if (this.attended) this.want({ do: "end", ...this.ending });
  }
}
