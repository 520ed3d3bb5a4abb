/** The page's course: from the link to the outcome. Everything it needs is beside it; it decides what comes next. */

import { Camera, CameraError } from "./camera.js";
import { Channel, Secrets } from "./channel.js";
import { Host, readFragment } from "./host.js";
import * as probes from "./probes.js";
import * as screens from "./screens.js";
import { chooseLanguage } from "./language.js";
import { View } from "./view.js";

const LANGUAGE_KEY = "renzheng.language";
const PASSED_STAYS_MS = 1800; // long enough to be read, before the page gives way to its host

// How each ending is told to an app: code of Tencent's SDK, and a sentence for its developer.
const ENDINGS = {
  4401: [288, "the token is unknown"], 4403: [216, "this origin is not allowed"], 4406: [216, "the page is out of date"],
  4409: [214, "another device holds the verification"], 4410: [288, "the token has expired"],
  4411: [288, "the token was used"], 4412: [214, "another device has taken over"],
  4414: [288, "the token is bound to another device"], 4503: [210, "the server has no room"], 0: [210, "no connection"],
};

function remembered() {
  try {
    return localStorage.getItem(LANGUAGE_KEY);
  } catch {
    return null;
  }
}

class Verification {
  constructor(root) {
    this.host = new Host();
    this.link = readFragment();
    const asked = this.link.options.get("language");
    const language = chooseLanguage([asked, remembered(), ...navigator.languages].filter(Boolean));
    this.view = new View(root, language, (chosen) => this.rememberLanguage(chosen));
    this.camera = new Camera();
    this.limits = {};
    this.followTheme(this.link.options.get("theme"));
    addEventListener("pageshow", (event) => event.persisted && location.reload());
    document.addEventListener("visibilitychange", () => this.visibility());
  }

  followTheme(asked) {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const set = () => {
      document.documentElement.dataset.theme = asked === "light" || asked === "dark" ? asked : dark.matches ? "dark" : "light";
    };
    dark.addEventListener?.("change", set);
    set();
  }

  rememberLanguage(language) {
    try {
      localStorage.setItem(LANGUAGE_KEY, language);
    } catch {
      // It is then chosen anew by the browser's languages.
    }
  }

  /** Shows a screen of screens.js. The first argument of each is the view. */
  show(make) {
    this.stopFrames();
    this.view.show(() => make(this.view));
    this.host.event({ type: "screen", name: this.view.root.dataset.screen });
  }

  /** A function that ends it for whoever is around the page, or undefined where nobody is. */
  leaving(code, message, passed) {
    return this.host.attended ? () => this.end(code, message, passed) : undefined;
  }

  end(code, message, passed) {
    this.channel?.close();
    this.camera.close();
    this.host.end(passed === undefined ? { code, message } : { code, message, passed });
  }

  /** An ending without a way on by itself: the person's button tells the host, where there is one. */
  back(code, message) {
    const act = this.leaving(code, message);
    return (view) => (act ? [{ label: view.t("back"), act }] : []);
  }

  async run() {
    this.host.post({ type: "hello" });
    if (!this.link.token) {
      this.show((view) => screens.noToken(view, this.back(288, "the link has no token")));
      return;
    }
    const probe = probes.missing();
    if (probe) {
      this.showMissing(probe);
      return;
    }
    this.secrets = await Secrets.open(this.link.token);
    this.cameraMissing = await probes.hasNoCamera();
    this.connect();
  }

  showMissing(probe, copied = false) {
    const leave = this.leaving(218, `the browser lacks what is needed: ${probe}`);
    this.show((view) => screens.missing(view, probe, { leave, copied, copy: () => this.copyLink(probe) }));
  }

  async copyLink(probe) {
    const address = location.href;
    try {
      await navigator.clipboard.writeText(address);
    } catch {
      // Clipboards need a secure context; this older way does not.
      const field = document.createElement("textarea");
      field.value = address;
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    this.showMissing(probe, true);
  }

  connect() {
    this.channel?.close();
    this.show(screens.opening);
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
      onclose: (code) => this.closed(code),
    });
  }

  connection(connected) {
    this.host.event({ type: "connection", connected });
    this.capture?.set({ notice: connected ? null : "reconnecting" });
    // A new socket knows the nonces of this attempt only once its step has come again.
    if (!connected) this.nonce = undefined;
  }

  // -- messages of the server, by their type --

  on_welcome(welcome) {
    this.secrets.keep(welcome.device, welcome.expires_in + 3600);
    if (this.link.code) this.dropCode();
    this.welcome = { ...welcome, receivedAt: performance.now() };
    this.view.account = welcome.account ?? "";
    this.limits = welcome.limits ?? {};
    this.running = welcome.state === "capturing";
    if (welcome.state === "ready") this.goOn();
    else if (welcome.state === "capturing" && !this.capture) this.openCamera();
    else if (welcome.state === "judging") this.on_judging();
  }

  /** No attempt is under way on the server; what is on the screen says whether one should be. */
  goOn() {
    const screen = this.view.root.dataset.screen;
    if (screen === "opening" || screen === "ready") this.showReady();
    else if (this.capture && this.step?.index > 0) {
      this.on_attempt_over({ reason: "timeout", attempts_left: this.welcome.attempts_left });
    } else if (this.capture && this.camera.alive) this.startAttempt();
    // Else a socket that was silent for long was opened anew behind a screen that waits for the person.
  }

  on_step({ index, of, action, nonce, seconds, colour }) {
    const until = performance.now() + seconds * 1000;
    this.step = { index, of, action, until, colour };
    const bytes = Uint8Array.from(nonce.match(/../g), (pair) => parseInt(pair, 16));
    this.nonce = undefined;
    this.capture?.set({ phase: "step", ...this.step, notice: null });
    // A frame carries the nonce of what was on the screen: only once this step has been painted.
    requestAnimationFrame(() => setTimeout(() => {
      this.nonce = bytes;
    }));
    // Nobody but the person need know the colours.
    if (!colour) this.host.event({ type: "step", index, of, action });
  }

  on_hint({ code }) {
    this.capture?.set({ hint: code ?? null });
    this.host.event({ type: "hint", code: code ?? null });
  }

  on_network({ ok, reason }) {
    if (!ok && reason === "too_few_frames") this.camera.slower();
    this.capture?.set({ notice: ok ? null : reason });
  }

  on_attempt_over(message) {
    this.nonce = undefined;
    this.step = undefined;
    this.running = false;
    if (message.attempts_left <= 0) return; // judging follows
    this.show((view) => screens.attemptOver(view, message, {
      again: () => (this.camera.alive ? this.showCamera() : this.openCamera()),
      leave: () => this.cancel(message.reason === "timeout" ? 222 : 212),
    }));
  }

  on_judging() {
    this.nonce = undefined;
    this.stopRun?.();
    if (!this.capture) this.capture = this.view.showCapture(this.camera.video, () => undefined);
    this.camera.video.pause();
    this.capture.set({ phase: "judging", of: this.step?.of ?? 0, notice: null });
    this.host.event({ type: "screen", name: "judging" });
  }

  on_outcome({ passed, retry }) {
    this.finished = true;
    this.camera.close();
    this.releaseScreen();
    const leave = this.leaving(0, "finished: fetch the result", passed);
    this.show((view) => screens.outcome(view, { passed, retry }, { leave }));
    navigator.vibrate?.(passed ? [30, 60, 30] : 120);
    if (passed && leave) setTimeout(leave, PASSED_STAYS_MS);
  }

  on_handover({ code, modules, expires_in: seconds }) {
    const url = `${location.origin}/verify#${this.link.token}.${code}`;
    if (this.alone) {
      this.alone.opener = null;
      this.alone.location.replace(url);
      this.alone = undefined;
    }
    if (!this.handoverAsked) return;
    const until = performance.now() + seconds * 1000;
    const left = () => Math.max(0, Math.ceil((until - performance.now()) / 1000));
    const actions = { renew: () => this.askHandover(), back: () => this.endHandover() };
    this.show((view) => screens.handover(view, { url, modules, left: left() }, actions));
    clearInterval(this.handoverClock);
    this.handoverClock = setInterval(() => {
      if (this.view.root.dataset.screen !== "handover") clearInterval(this.handoverClock);
      else if (left() > 0) this.view.root.querySelector(".badge").textContent = this.view.t("handoverLeft", { n: left() });
      else this.view.show(this.view.make);
    }, 1000);
  }

  closed(code) {
    this.nonce = undefined;
    if (this.finished || code === 1000) return;
    if (code === 4409 && this.view.root.dataset.screen === "handover") code = 4412;
    this.camera.close();
    this.releaseScreen();
    const [told, message] = ENDINGS[code] ?? [213, `closed with ${code}`];
    const leave = this.leaving(told, message);
    const retry = () => this.connect();
    if (code === 0) {
      this.show((view) => screens.offline(view, () => [{ label: view.t("retry"), act: retry },
        leave && { label: view.t("back"), act: leave, kind: "quiet" }].filter(Boolean)));
    } else this.show((view) => screens.closed(view, code, { retry, leave, reload: () => location.reload() }));
  }

  // -- what the person does --

  showReady() {
    const actions = {
      agree: () => this.openCamera(),
      decline: () => this.cancel(),
      usePhone: this.welcome.handover && !probes.isPhone() ? () => this.askHandover() : undefined,
    };
    if (this.cameraMissing) this.showCameraProblem("none");
    else this.show((view) => screens.ready(view, this.left(), actions));
  }

  /** The welcome with the time that is left by now. */
  left() {
    const gone = (performance.now() - this.welcome.receivedAt) / 1000;
    return { ...this.welcome, expires_in: Math.max(0, this.welcome.expires_in - gone) };
  }

  async openCamera() {
    // A permission given before opens at once, and the screen that explains the question would only flash.
    const explain = setTimeout(() => this.show(screens.asking), 350);
    try {
      await this.camera.open();
    } catch (error) {
      clearTimeout(explain);
      if (!(error instanceof CameraError)) throw error;
      this.showCameraProblem(error.reason);
      return;
    }
    clearTimeout(explain);
    this.channel?.send({ type: "note", camera: "granted" });
    this.cameraMissing = false;
    if (this.camera.needsTap) this.show((view) => screens.tap(view, () => this.tapped()));
    else this.showCamera();
  }

  async tapped() {
    await this.camera.play();
    if (!this.camera.needsTap) this.showCamera();
  }

  showCameraProblem(reason) {
    this.channel?.send({ type: "note", camera: reason });
    this.show((view) => screens.camera(view, reason, {
      retry: () => this.openCamera(),
      usePhone: this.welcome?.handover && !probes.isPhone() ? () => this.askHandover() : undefined,
      openAlone: this.welcome?.handover ? () => this.openAlone() : undefined,
      leave: this.leaving(reason === "refused" ? 215 : 218, `camera: ${reason}`),
    }));
  }

  /** In a page of its own, which the browser takes for another device: it needs a code to take over. The window is
   * opened within the tap, as browsers allow it then alone, and led on once the code is there. */
  openAlone() {
    this.alone = window.open("", "_blank");
    if (!this.channel.send({ type: "handover" })) this.alone?.close();
  }

  showCamera() {
    if (this.camera.video.paused) this.camera.play();
    this.capture = this.view.showCapture(this.camera.video, () => this.cancel(), () => this.declineLight());
    this.host.event({ type: "screen", name: "capture" });
    this.holdScreen();
    if (this.step) this.capture.set({ phase: "step", ...this.step });
    this.stopRun = this.camera.run(() => this.nonce, this.channel, this.limits);
    this.startAttempt();
  }

  /** Within an attempt that a reopened page finds under way, the step comes by itself. */
  startAttempt() {
    if (!this.running) this.running = this.channel.send({ type: "start" });
  }

  stopFrames() {
    this.stopRun?.();
    this.stopRun = undefined;
    this.capture = undefined;
  }

  cancel(code = 212, told = code === 222 ? "the time ran out" : "the person left", reason = undefined) {
    this.nonce = undefined;
    this.channel?.send({ type: "cancel", ...(reason && { reason }) });
    this.channel?.close();
    this.camera.close();
    this.releaseScreen();
    if (this.host.attended) this.end(code, told);
    const screen = reason === "light" ? screens.declinedLight : screens.cancelled;
    this.show((view) => screen(view, () => [{ label: view.t("resume"), act: () => this.connect() }]));
  }

  /** Whoever flashing light may harm leaves before the first colour. */
  declineLight() {
    this.cancel(212, "the person declined flashing light", "light");
  }

  askHandover() {
    this.camera.close();
    this.handoverAsked = true;
    this.channel.send({ type: "handover" }); // where the line is just lost, the button stays
  }

  endHandover() {
    this.handoverAsked = false;
    clearInterval(this.handoverClock);
    this.showReady();
  }

  /** The hand-over code is good once; a reload must come with the device's secret alone. */
  dropCode() {
    this.link.code = "";
    history.replaceState(null, "", location.href.replace(/#([^.&]+)\.[^&]*/, "#$1"));
  }

  // -- the device --

  async visibility() {
    if (!this.capture || this.view.root.dataset.phase === "judging") return;
    if (document.hidden) this.capture.set({ notice: "paused" });
    else {
      this.capture.set({ notice: null });
      this.holdScreen();
      if (!this.camera.alive) await this.camera.open().catch((error) => this.showCameraProblem(error.reason ?? "busy"));
      else this.camera.play();
    }
  }

  async holdScreen() {
    try {
      this.lock = await navigator.wakeLock?.request("screen");
    } catch {
      // The screen may then go dark, as it does anyway.
    }
  }

  releaseScreen() {
    this.lock?.release();
    this.lock = undefined;
  }
}

new Verification(document.getElementById("page")).run();
