/**
 * The verification's state machine on the page. It is pure: it receives events with their times, and returns effects and
 * its next deadline. It has no page, no socket, no camera and no timer; `page.js` drives it.
 * `table.js` lists the legal moves, `states.js` what each state does.
 */

import { States } from "./states.js";
import { HANDING, JUDGED, RUNNING, TABLE } from "./table.js";

/**
 * @typedef {import("./effects.js").Effect} Effect
 * @typedef {import("./effects.js").Event} Event
 * @typedef {import("./protocol.js").AttemptOver} AttemptOver
 * @typedef {import("./protocol.js").ServerMessage} ServerMessage
 * @typedef {import("./protocol.js").Step} Step
 * @typedef {import("./protocol.js").Welcome} Welcome
 */

const MAX_SILENCES = 3; // in a row: each was a new line to the server, which let the page in and then said nothing

export class Machine extends States {
  /** @param {number} now milliseconds @returns {Effect[]} what is to be done at once: the wait of `new` begins */
  begin(now) {
    this.now = now;
    this.setDeadline("new");
    return [];
  }

  /** @param {Event} event @param {number} now milliseconds @returns {Effect[]} what is to be done, in this order */
  take(event, now) {
    this.now = Math.max(this.now, now);
    const on = /** @type {any} */ (this)[`on_${event.type}`];
    if (on) on.call(this, event);
    else this.go(event.type, event);
    const out = this.out;
    this.out = [];
    return out;
  }

  // -- events --

  /** @param {{message: ServerMessage}} event an unknown type of message is ignored */
  on_message({ message }) {
    const hear = /** @type {any} */ (this)[`hear_${message.type}`];
    if (hear) hear.call(this, message);
  }

  on_late() {
    if (this.now < this.deadline) return;
    const move = TABLE[this.state].limit?.[1];
    this.deadline = Infinity;
    if (move === "silence" && ++this.silences >= MAX_SILENCES && this.go("unreachable")) return;
    if (move) this.go(move, { late: true, waited: this.state });
  }

  /** @param {{up: boolean}} event */
  on_line({ up }) {
    this.up = up;
    this.want({ do: "tell", event: { type: "connection", connected: up } });
    this.draw({ notice: up ? null : "reconnecting" });
    if (up && this.filming) this.want({ do: "say_connected" });
    // On a new socket, nonces of this attempt are known only once its step has come again.
    if (!up) this.nonce = this.pending = undefined;
  }

  /** @param {{code: number}} event 0 if nothing answers any more */
  on_closed({ code }) {
    this.up = false;
    this.nonce = undefined;
    // The server closes normally only after the outcome; something between may do so at any time.
    if (code === 0 || code === 1000) this.go("unreachable");
    else this.go("closed", { code: code === 4409 && HANDING.has(this.state) ? 4412 : code });
  }

  on_blocked() {
    this.up = false;
    this.go("blocked");
  }

  /** @param {{no_camera?: boolean}} event */
  on_connect({ no_camera = this.noCamera }) {
    this.noCamera = no_camera;
    this.go("connect");
  }

  on_opened() {
    this.send({ type: "note", camera: "granted" });
    this.noCamera = false;
    this.go("opened");
  }

  /** @param {{count: number}} event how many cameras there are */
  on_cameras({ count }) {
    this.cameras = count;
    this.offer();
  }

  /** @param {{nonce: string}} event a step is on the screen */
  on_painted({ nonce }) {
    if (this.state === "capture" && this.up && nonce === this.step?.nonce) this.nonce = nonce;
  }

  /** The picture stopped. An attempt under way is given back, and the camera is opened again. */
  on_stopped() {
    if (this.hidden) return; // looked at again once the page is seen
    if (this.state === "tap") this.go("lost");
    else if (RUNNING.has(this.state)) {
      this.send({ type: "restart", reason: "camera" });
      this.send({ type: "note", camera: "lost" });
      this.go("lost");
    }
  }

  /** The phone was turned, so the measured face no longer fits: this attempt ends, and is given back. */
  on_turned() {
    if (!RUNNING.has(this.state) || !this.running || this.nonce === undefined) return;
    this.nonce = undefined;
    this.send({ type: "restart", reason: "turned" });
  }

  on_hidden() {
    this.hidden = true;
    if (RUNNING.has(this.state)) this.draw({ notice: "away" });
  }

  /** @param {{alive: boolean}} event the page is seen again; whether the camera still runs */
  on_seen({ alive }) {
    this.hidden = false;
    if (!RUNNING.has(this.state)) return;
    this.draw({ notice: null });
    this.want({ do: "hold_screen" });
    if (alive) this.want({ do: "play" });
    else this.on_stopped();
  }

  // -- what the person presses --

  on_cancel({ reason = /** @type {"light" | undefined} */ (undefined) }) {
    if (!TABLE[this.state].on.cancel) return;
    const ranOut = this.state === "over" && this.ending.code === 222;
    const told = reason ? "the person declined flashing light" : ranOut ? "the time ran out" : "the person left";
    this.send({ type: "cancel", ...(reason && { reason }) });
    this.up = false;
    this.want({ do: "hang_up" });
    this.want({ do: "release" });
    if (this.attended) this.want({ do: "end", code: ranOut ? 222 : 212, message: told });
    this.go("cancel", { reason });
  }

  on_decline_light() {
    this.on_cancel({ reason: "light" });
  }

  on_agree() {
    this.agreed = true;
    this.go("agree");
  }

  /** Opens the camera only after the person has agreed. */
  on_open() {
    if (this.agreed) this.go("open");
    else this.go("consent");
  }

  /** @param {{alive?: boolean}} event whether the camera still runs */
  on_again({ alive = false }) {
    this.go(alive ? "again" : "open");
  }

  /** More time and another action, once a token. @param {{alive?: boolean}} event */
  on_ease(event) {
    if (!this.eases) return;
    this.eases = false;
    this.nonce = undefined;
    this.owesEase = !this.send({ type: "ease" });
    if (this.state === "over") this.on_again(event);
    else this.offer();
  }

  on_another() {
    if (this.cameras < 2) return;
    this.want({ do: "next_camera" });
    if (this.state === "camera") this.on_open();
    else this.on_stopped();
  }

  on_tapped() {
    if (this.state === "tap") this.want({ do: "play" }); // within the tap
    this.go("tapped");
  }

  on_back() {
    if (this.noCamera) this.go("no_camera", { reason: "none" });
    else this.go("back");
  }

  /** Opens a page of its own. The browser treats it as another device, so it needs a code to take over. The window is
   * opened within the tap, as browsers allow it only then, and navigates once the code is there. */
  on_alone() {
    if (!this.up) return;
    this.alone = true;
    this.want({ do: "open_window" });
    this.send({ type: "handover" });
  }

  on_reload() {
    this.want({ do: "reload" });
  }

  on_copy() {
    this.want({ do: "copy" });
  }

  // -- messages of the server --

  /** @param {Welcome} welcome */
  hear_welcome(welcome) {
    const counted = welcome.attempts_left < this.left;
    this.left = welcome.attempts_left;
    this.welcome = welcome;
    this.expires = this.now + welcome.expires_in * 1000;
    if (this.owesEase) this.owesEase = !this.send({ type: "ease" });
    else this.eases = welcome.eases ?? false;
    this.running = welcome.state === "capturing";
    this.want({ do: "welcome", welcome });
    if (this.state === "handing") this.send({ type: "handover" }); // the line was lost before a code came
    if (welcome.state === "capturing") {
      this.agreed = true;
      this.go("resume");
    }
    if (welcome.state === "ready") this.goOn(counted);
    // In other states, `judging` and `outcome` follow.
  }

  /** No attempt is under way on the server. @param {boolean} counted whether one has counted since its last message */
  goOn(counted) {
    if (this.noCamera && this.go("no_camera", { reason: "none" })) return;
    if (this.go("ready")) return;
    const over = { attempts_left: this.left, eases: this.eases, counted };
    if (JUDGED.has(this.state)) this.go("over", { ...over, reason: counted ? "not_passed" : "server" });
    else if (RUNNING.has(this.state)) {
      // The attempt ran out during the disconnection; otherwise it had not begun.
      if (this.step && this.step.index > 0) this.go("over", { ...over, reason: "lost_line" });
      else this.startAttempt();
    }
  }

  /** @param {Step} message if it comes while the camera is being opened, it is shown once there is a picture */
  hear_step(message) {
    this.nonce = undefined;
    this.silences = 0;
    this.pending = { ...message, until: this.now + message.seconds * 1000 };
    this.go("step", this.pending);
  }

  /** In the line for a place: an attempt begins when it is this person's turn. @param {import("./protocol.js").Wait} turn */
  hear_wait(turn) {
    this.turn = turn;
    this.silences = 0;
    this.go("turn");
  }

  /** @param {import("./protocol.js").Hint} hint */
  hear_hint({ code }) {
    if (code) this.hint = code;
    this.draw({ hint: code ?? null });
    this.want({ do: "tell", event: { type: "hint", code: code ?? null } });
  }

  /** @param {import("./protocol.js").Network} network */
  hear_network({ ok, reason }) {
    this.silences = 0;
    this.go("heard");
    this.want({ do: "press", on: !ok && reason === "too_few_frames" });
    this.draw({ notice: ok ? null : reason });
  }

  /** @param {AttemptOver} message */
  hear_attempt_over(message) {
    this.want({ do: "press", on: false });
    this.running = false;
    this.left = message.attempts_left;
    this.step = this.pending = this.nonce = undefined;
    this.eases = message.eases ?? this.eases;
    if (!RUNNING.has(this.state) && !JUDGED.has(this.state)) return; // the page itself ended it, as for its camera
    if (message.attempts_left > 0) this.go("over", message);
    else this.go("judging");
  }

  hear_judging() {
    this.go("judging");
  }

  /** @param {import("./protocol.js").Outcome} outcome */
  hear_outcome(outcome) {
    this.go(outcome.passed ? "accepted" : "rejected", outcome);
  }

  /** @param {import("./protocol.js").Offer} offer */
  hear_handover(offer) {
    if (this.alone) this.want({ do: "lead_window", code: offer.code });
    this.alone = false;
    this.go("code", offer);
  }
}
