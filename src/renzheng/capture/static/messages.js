/** What the page does with each message of the server, and with the loss of the line. */

import { JUDGED, RUNNING } from "./machine.js";
import * as screens from "./screens.js";
import { States } from "./states.js";

export class Messages extends States {
  on_welcome(welcome) {
    this.secrets.keep(welcome.device, welcome.expires_in + 3600);
    if (this.link.code) this.dropCode();
    const left = this.attemptsLeft;
    this.attemptsLeft = welcome.attempts_left;
    this.welcome = { ...welcome, receivedAt: performance.now() };
    this.nameAccount();
    this.limits = welcome.limits ?? {};
    this.eases = welcome.eases ?? false;
    this.running = welcome.state === "capturing";
    if (welcome.state === "ready") this.goOn(welcome.attempts_left < left);
    else if (welcome.state === "capturing") this.machine.go("resume");
    // The others: `judging` and `outcome` follow.
  }

  nameAccount() {
    this.view.account = this.welcome?.names?.[this.view.language] ?? this.welcome?.account ?? "";
  }

  /** No attempt is under way on the server. @param {boolean} counted whether one has counted since the last word of it */
  goOn(counted) {
    if (this.cameraMissing && this.machine.go("no_camera", { reason: "none" })) return;
    if (this.machine.go("ready") || !RUNNING.has(this.machine.state)) return;
    // An attempt that ran out while the line was gone; otherwise one that had not begun.
    const over = { reason: "lost_line", counted, attempts_left: this.welcome.attempts_left };
    if (this.step?.index > 0) this.machine.go("over", over);
    else this.startAttempt();
  }

  on_step(message) {
    const { index, of, action, nonce, seconds, colour, again = false } = message;
    const bytes = Uint8Array.from(nonce.match(/../g), (pair) => parseInt(pair, 16));
    this.nonce = undefined;
    this.shape = undefined;
    message.until ??= performance.now() + seconds * 1000;
    // A step that comes while the camera is being opened is shown once there is a picture.
    this.waiting = message;
    if (!this.machine.go("step", { step: { index, of, action, until: message.until, colour, again } })) return;
    // A frame carries the nonce of what was on the screen: only once this step has been painted.
    requestAnimationFrame(() => setTimeout(() => {
      if (this.machine.state === "capture") this.nonce = bytes;
    }));
    // Nobody but the person need know the colours.
    if (!colour) this.host.event({ type: "step", index, of, action });
  }

  /** In the line for a place: an attempt begins when it is this person's turn. */
  on_wait(turn) {
    this.turn = turn;
    this.machine.go("turn");
  }

  on_hint({ code }) {
    if (code) this.lastHint = code;
    this.capture?.set({ hint: code ?? null });
    this.host.event({ type: "hint", code: code ?? null });
  }

  on_network({ ok, reason }) {
    this.machine.go("heard");
    this.camera.press(!ok && reason === "too_few_frames");
    this.capture?.set({ notice: ok ? null : reason });
  }

  on_attempt_over(message) {
    this.camera.press(false);
    this.running = false;
    this.attemptsLeft = message.attempts_left;
    this.step = this.nonce = this.waiting = undefined;
    this.eases = message.eases ?? this.eases;
    if (RUNNING.has(this.machine.state) || JUDGED.has(this.machine.state)) this.machine.go("over", message);
    // Else the page itself ended it, such as for a camera that it opens anew.
  }

  on_judging() {
    this.machine.go("judging");
  }

  on_outcome(outcome) {
    this.machine.go("outcome", outcome);
  }

  on_handover(offer) {
    const { code, modules, expires_in: seconds } = offer;
    const url = `${location.origin}/verify#${this.link.token}.${code}`;
    if (this.alone) {
      this.alone.opener = null;
      this.alone.location.replace(url);
      this.alone = undefined;
    }
    if (this.machine.state !== "handover") return;
    const until = performance.now() + seconds * 1000;
    const left = () => Math.max(0, Math.ceil((until - performance.now()) / 1000));
    const actions = {
      renew: () => this.channel.send({ type: "handover" }), back: () => this.machine.go(this.cameraMissing ? "no_camera" : "back", { reason: "none" }),
    };
    this.show((view) => screens.handover(view, { url, modules, left: left() }, actions));
    clearInterval(this.handoverClock);
    this.handoverClock = setInterval(() => {
      if (this.machine.state !== "handover") clearInterval(this.handoverClock);
      else if (left() > 0) this.view.root.querySelector(".badge").textContent = this.view.t("handoverLeft", { n: left() });
      else this.view.show(this.view.make);
    }, 1000);
  }

  connection(connected) {
    this.host.event({ type: "connection", connected });
    this.capture?.set({ notice: connected ? null : "reconnecting" });
    if (connected && this.capture) this.view.say(this.view.t("connected"));
    // A new socket knows the nonces of this attempt only once its step has come again.
    if (!connected) this.nonce = this.waiting = undefined;
  }

  closed(code) {
    this.nonce = undefined;
    if (code === 1000) return;
    if (code === 0) this.machine.go("unreachable");
    else this.machine.go("closed", { code: code === 4409 && this.machine.state === "handover" ? 4412 : code });
  }
}
