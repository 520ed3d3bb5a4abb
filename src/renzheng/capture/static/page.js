/** The page's course: from the link to the outcome. `machine.js` says where it may go; here is what is done there. */

import { Camera, CameraError } from "./camera.js";
import { Secrets } from "./channel.js";
import { Host, readFragment } from "./host.js";
import { Machine, RUNNING } from "./machine.js";
import { Messages } from "./messages.js";
import * as probes from "./probes.js";
import { chooseLanguage } from "./language.js";
import { View } from "./view.js";
import { Voice } from "./voice.js";

const LANGUAGE_KEY = "renzheng.language";

function remembered() {
  try {
    return localStorage.getItem(LANGUAGE_KEY);
  } catch {
    return null;
  }
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Clipboards need a secure context; this older way does not.
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
}

class Verification extends Messages {
  constructor(root) {
    super();
    this.host = new Host();
    this.link = readFragment();
    const asked = this.link.options.get("language");
    const language = chooseLanguage([asked, remembered(), ...navigator.languages].filter(Boolean));
    this.view = new View(root, language, (chosen) => this.rememberLanguage(chosen), new Voice());
    this.machine = new Machine((state, detail, before) => this[`enter_${state}`](detail ?? {}, before));
    this.camera = new Camera(() => this.cameraStopped());
    this.camera.onchoices = () => this.offerCameras();
    this.limits = {};
    this.followTheme(this.link.options.get("theme"));
    addEventListener("pageshow", (event) => event.persisted && location.reload());
    document.addEventListener("visibilitychange", () => this.visibility());
    for (const [target, name] of [[screen.orientation, "change"], [window, "orientationchange"]]) {
      target?.addEventListener?.(name, () => this.turned());
    }
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
    this.nameAccount();
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
    this.host.event({ type: "screen", name: this.view.name });
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

  async run() {
    this.host.post({ type: "hello" });
    if (!this.link.token) {
      this.machine.go("no_token");
      return;
    }
    const probe = probes.missing();
    if (probe) {
      this.machine.go("lacking", { probe });
      return;
    }
    this.secrets = await Secrets.open(this.link.token);
    this.cameraMissing = await probes.hasNoCamera();
    this.machine.go("connect");
  }

  // -- what the person does --

  /** The ways on of a plain screen. */
  ways(view, retry, leave) {
    return [retry && { label: view.t("retry"), act: retry },
      leave && { label: view.t("back"), act: leave, kind: retry ? "quiet" : "primary" }].filter(Boolean);
  }

  /** A screen on which the link can be copied, to be opened elsewhere. */
  showLink(make, copied = false) {
    const copy = async () => {
      await copyText(location.href);
      this.showLink(make, true);
    };
    this.show((view) => make(view, { copy, copied }));
  }

  phoneOffer() {
    const offered = this.welcome?.handover && !this.welcome.loopback && !probes.isPhone();
    return offered ? () => this.machine.go("hand") : undefined;
  }

  /** The welcome with the time that is left by now. */
  left() {
    const gone = (performance.now() - this.welcome.receivedAt) / 1000;
    return { ...this.welcome, expires_in: Math.max(0, this.welcome.expires_in - gone) };
  }

  async openCamera() {
    try {
      if (!(await this.camera.open())) return;
    } catch (error) {
      if (!(error instanceof CameraError)) throw error;
      this.machine.go("failed", { reason: error.reason });
      return;
    }
    this.channel?.send({ type: "note", camera: "granted" });
    this.cameraMissing = false;
    this.machine.go("opened");
  }

  anotherCamera() {
    this.camera.chooseNext();
    if (!this.machine.go("open")) this.cameraStopped();
  }

  /** Several cameras: the next can be chosen as long as no action was asked for. */
  offerCameras() {
    if (this.camera.choices.length > 1 && !(this.step?.index > 0)) this.capture?.offer("anotherCamera", () => this.anotherCamera());
    else this.capture?.offer("anotherCamera", undefined);
  }

  offerHelp() {
    this.offerCameras();
    const helps = this.eases && this.step?.index > 0 && this.step.index <= this.step.of;
    this.capture?.offer("ease", helps ? () => this.ease() : undefined);
  }

  /** More time and another action, once a token. @param {() => void} [then] where no attempt is under way */
  ease(then) {
    this.eases = false;
    this.nonce = undefined;
    this.channel?.send({ type: "ease" });
    then?.();
  }

  /** In a page of its own, which the browser takes for another device: it needs a code to take over. The window is
   * opened within the tap, as browsers allow it then alone, and led on once the code is there. */
  openAlone() {
    this.alone = window.open("", "_blank");
    if (!this.channel.send({ type: "handover" })) this.alone?.close();
  }

  showCamera() {
    if (this.camera.video.paused) this.camera.play();
    this.capture = this.view.showCapture(this.camera.video, {
      cancel: () => this.cancel(), declineLight: () => this.cancel(212, "the person declined flashing light", "light"),
    });
    this.host.event({ type: "screen", name: "capture" });
    this.holdScreen();
    this.offerCameras();
    this.stopRun = this.camera.run(() => this.frameNonce(), this.channel, this.limits);
  }

  /** Within an attempt that a reopened page finds under way, the step comes by itself. */
  startAttempt() {
    if (this.running) return;
    this.lastHint = undefined;
    this.running = this.channel.send({ type: "start" });
  }

  /** The nonce of a frame that is taken now; none once the picture has another shape than the step began with. */
  frameNonce() {
    if (this.nonce === undefined || !this.camera.hasPicture) return this.nonce;
    this.shape ??= this.camera.shape;
    if (this.shape !== this.camera.shape) this.turned();
    return this.nonce;
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
    this.release();
    if (this.host.attended) this.end(code, told);
    this.machine.go("cancel", { reason });
  }

  /** The hand-over code is good once; a reload must come with the device's secret alone. */
  dropCode() {
    this.link.code = "";
    history.replaceState(null, "", location.href.replace(/#([^.&]+)\.[^&]*/, "#$1"));
  }

  // -- the device --

  /** The picture stopped in the middle: the attempt is given back, and the camera opened anew. */
  cameraStopped() {
    if (document.hidden || this.machine.state === "judging") return; // looked at again once the page is seen
    if (this.machine.state === "tap") this.machine.go("lost");
    if (!RUNNING.has(this.machine.state)) return;
    this.channel?.send({ type: "restart", reason: "camera" });
    this.channel?.send({ type: "note", camera: "lost" });
    this.machine.go("lost");
  }

  /** What was measured of the face does not fit a phone that was turned: this attempt ends, and is given back. */
  turned() {
    if (!RUNNING.has(this.machine.state) || !this.running || this.nonce === undefined) return;
    this.nonce = undefined;
    this.channel?.send({ type: "restart", reason: "turned" });
  }

  visibility() {
    if (!RUNNING.has(this.machine.state)) return;
    this.capture?.set({ notice: document.hidden ? "away" : null });
    if (document.hidden) return;
    this.holdScreen();
    if (this.camera.alive) this.camera.play();
    else this.cameraStopped();
  }

  async holdScreen() {
    try {
      this.lock = await navigator.wakeLock?.request("screen");
    } catch {
      // The screen may then go dark, as it does anyway.
    }
  }

  /** Camera and screen are given back. */
  release() {
    this.camera.close();
    this.lock?.release();
    this.lock = undefined;
  }
}

new Verification(document.getElementById("page")).run();
