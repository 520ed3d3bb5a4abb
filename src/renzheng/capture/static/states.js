/** What the page does and shows in each state of `machine.js`. */

import { Channel } from "./channel.js";
import * as screens from "./screens.js";

const STOPPED_STAYS_MS = 1500; // long enough to be read, and for another app to let go of the camera
const PASSED_STAYS_MS = 1800; // long enough to be read, before the page gives way to its host

// How each ending is told to an app: code of Tencent's SDK, and a sentence for its developer.
const ENDINGS = {
  4401: [288, "the token is unknown"], 4403: [216, "this origin is not allowed"], 4406: [216, "the page is out of date"],
  4409: [214, "another device holds the verification"], 4410: [288, "the token has expired"],
  4411: [288, "the token was used"], 4412: [214, "another device has taken over"],
  4414: [288, "the token is bound to another device"], 4503: [210, "the server has no room"],
  4504: [210, "the token would expire before it is this person's turn"],
};

export class States {
  enter_no_token() {
    const leave = this.leaving(288, "the link has no token");
    this.show((view) => screens.noToken(view, () => this.ways(view, undefined, leave)));
  }

  enter_missing({ probe }) {
    this.showLink((view, copy) => screens.missing(view, probe, {
      leave: this.leaving(218, `the browser lacks what is needed: ${probe}`), ...copy,
    }));
  }

  enter_opening() {
    this.show(screens.opening);
    this.channel?.close();
    this.channel = new Channel({
      url: `${location.protocol.replace("http", "ws")}//${location.host}/capture/v1`,
      hello: () => ({
        token: this.link.token,
        language: this.view.language,
        ...(this.secrets.value && { device: this.secrets.value }),
        ...(this.link.code && { handover: this.link.code }),
        ...(this.host.framed && { embedder: this.host.origin }),
      }),
      identify: (nonce) => this.host.identify(nonce, this.link.token),
      onmessage: (message) => this[`on_${message.type}`]?.(message),
      onconnection: (connected) => this.connection(connected),
      onblocked: () => this.machine.go("blocked"),
      onclose: (code) => this.closed(code),
    });
  }

  /** It tries still; the person hears what is wrong meanwhile. */
  enter_connecting() {
    const leave = this.leaving(210, "no connection");
    this.show((view) => screens.connecting(view, () => this.ways(view, () => this.machine.go("connect"), leave)));
  }

  enter_offline() {
    this.release();
    const leave = this.leaving(210, "no connection");
    this.show((view) => screens.offline(view, () => this.ways(view, () => this.machine.go("connect"), leave)));
  }

  enter_blocked() {
    this.release();
    const leave = this.leaving(210, "WebSockets do not get through: a proxy drops Upgrade");
    this.showLink((view, copy) => screens.blocked(view, { retry: () => this.machine.go("connect"), leave, ...copy }));
  }

  enter_closed({ code }) {
    this.release();
    const [told, message] = ENDINGS[code] ?? [213, `closed with ${code}`];
    const actions = {
      retry: () => this.machine.go("connect"), leave: this.leaving(told, message), reload: () => location.reload(),
    };
    this.show((view) => screens.closed(view, code, actions));
  }

  enter_cancelled({ reason }) {
    const screen = reason === "light" ? screens.declinedLight : screens.cancelled;
    this.show((view) => screen(view, () => [{ label: view.t("resume"), act: () => this.machine.go("connect") }]));
  }

  enter_ready() {
    clearInterval(this.handoverClock);
    const actions = {
      agree: () => this.machine.go("agree"), decline: () => this.cancel(), usePhone: this.phoneOffer(),
    };
    this.show((view) => screens.ready(view, this.left(), actions));
  }

  async enter_asking() {
    this.view.wait();
    // A permission given before opens at once, and the screen that explains the question would only flash.
    setTimeout(() => this.machine.state === "asking" && this.show(screens.asking), 350);
    await this.openCamera();
  }

  enter_lost() {
    this.nonce = undefined;
    this.show(screens.lost);
    setTimeout(() => this.machine.state === "lost" && this.openCamera(), STOPPED_STAYS_MS);
  }

  async enter_looking() {
    this.view.wait();
    if (this.camera.video.paused && !this.camera.needsTap) this.camera.play(); // one that left the page is paused
    const found = await this.camera.look();
    const event = { picture: "picture", tap: "tap", blank: "failed", gone: "failed" }[found];
    this.machine.go(event, { reason: found === "blank" ? "blank" : "lost" });
  }

  enter_tap() {
    const tapped = () => {
      this.camera.play(); // within the tap
      this.machine.go("tapped");
    };
    this.show((view) => screens.tap(view, tapped));
  }

  enter_camera({ reason, late, waited }) {
    const why = late ? (waited === "looking" ? "dark" : "silent") : reason;
    if (why !== "silent") this.camera.close(); // who answers late is let in still
    this.channel?.send({ type: "note", camera: why });
    const actions = {
      retry: () => this.machine.go("open"),
      another: this.camera.choices.length > 1 ? () => this.anotherCamera() : undefined,
      usePhone: this.phoneOffer(),
      openAlone: this.welcome?.handover ? () => this.openAlone() : undefined,
      leave: this.leaving(why === "refused" ? 215 : 218, `camera: ${why}`),
    };
    this.showLink((view, copy) => screens.camera(view, why, { ...actions, ...copy }));
  }

  /** An attempt begins, or one that is under way goes on: then its step comes by itself. */
  enter_starting(detail, before) {
    if (before !== "starting" && before !== "capture") this.showCamera();
    if (detail.late) this.channel?.drop(); // the server has been silent for long: a new line, the same attempt
    else if (this.waiting) this.on_step(this.waiting);
    else this.startAttempt();
  }

  /** The camera stays open, and nothing of it is sent. */
  enter_waiting(detail, before) {
    if (before === "waiting") this.view.show(this.view.make);
    else this.show((view) => screens.waiting(view, this.turn, { leave: () => this.cancel() }));
  }

  enter_capture(detail) {
    if (!detail.step) return;
    if (!this.capture) this.showCamera();
    this.step = detail.step;
    this.capture?.set({ phase: "step", ...this.step, notice: null });
    this.offerHelp();
  }

  enter_over(message) {
    this.running = false;
    this.step = this.nonce = this.waiting = undefined;
    this.eases = message.eases ?? this.eases;
    if (message.attempts_left <= 0) return; // judging follows
    const hint = message.reason === "timeout" ? this.lastHint : undefined;
    const go = () => (this.camera.alive ? this.machine.go("again") : this.machine.go("open"));
    this.show((view) => screens.attemptOver(view, { ...message, hint }, {
      again: go,
      ease: this.eases ? () => this.ease(go) : undefined,
      leave: () => this.cancel(message.reason === "timeout" ? 222 : 212),
    }));
  }

  enter_judging() {
    this.nonce = undefined;
    this.stopRun?.();
    if (!this.capture) this.capture = this.view.showCapture(this.camera.video, {});
    this.camera.video.pause();
    this.capture.set({ phase: "judging", of: this.step?.of ?? 0, notice: null });
    this.host.event({ type: "screen", name: "judging" });
  }

  enter_judging_slow() {
    this.show((view) => screens.slowJudging(view, () => this.ways(view, () => this.machine.go("connect"))));
  }

  enter_done({ passed, retry, advice }) {
    this.release();
    const leave = this.leaving(0, "finished: fetch the result", passed);
    this.show((view) => screens.outcome(view, { passed, retry, advice, hint: this.lastHint }, { leave }));
    navigator.vibrate?.(passed ? [30, 60, 30] : 120);
    if (passed && leave) setTimeout(leave, PASSED_STAYS_MS);
  }

  enter_handover() {
    this.camera.close();
    this.handoverAsked = true;
    this.channel.send({ type: "handover" });
    if (this.offer) this.on_handover(this.offer);
    else this.show((view) => screens.opening(view, () => this.ways(view, undefined, () => this.machine.go("back"))));
  }
}
