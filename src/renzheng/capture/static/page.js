/** Drives the state machine of `machine.js`: reports events, and carries out effects with screen, socket and camera. */

import { Camera, CameraError } from "./camera.js";
import { Channel, Secrets } from "./channel.js";
import { Host, readFragment } from "./host.js";
import { chooseLanguage } from "./language.js";
import { Machine } from "./machine.js";
import * as probes from "./probes.js";
import { draw } from "./screens.js";
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

/** @param {string} text */
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

/**
 * @typedef {import("./effects.js").Effect} Effect
 * @typedef {import("./effects.js").Way} Way
 * @typedef {{[K in Effect["do"] as `do_${K}`]: (effect: any) => void}} Doing something for every effect that there is
 */

class Verification {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.host = new Host();
    this.link = readFragment();
    const asked = this.link.options.get("language");
    const wanted = [asked, remembered(), ...navigator.languages].filter((tag) => tag !== null);
    this.view = new View(root, chooseLanguage(wanted), (chosen) => this.rememberLanguage(chosen), new Voice());
    this.machine = new Machine({ attended: this.host.attended, phone: probes.isPhone() });
    /** @type {Effect[]} */
    this.todo = [];
    this.working = false;
    this.camera = new Camera(() => this.take({ type: "stopped" }));
    this.camera.onchoices = () => this.take({ type: "cameras", count: this.camera.choices.length });
    this.secrets = new Secrets();
    /** @type {import("./protocol.js").Welcome | undefined} */
    this.welcome = undefined;
    this.shown = { nonce: "", bytes: new Uint8Array(16), shape: "" };
    this.followTheme(this.link.options.get("theme"));
    addEventListener("pageshow", (event) => event.persisted && location.reload());
    document.addEventListener("visibilitychange", () => this.visibility());
    for (const [target, name] of /** @type {[EventTarget | undefined, string][]} */ ([[screen.orientation, "change"], [window, "orientationchange"]])) {
      target?.addEventListener?.(name, () => this.take({ type: "turned" }));
    }
  }

  async run() {
    this.host.post({ type: "hello" });
    this.machine.begin(performance.now());
    if (document.hidden) this.visibility();
    const probe = probes.missing();
    if (!this.link.token) this.take({ type: "no_token" });
    else if (probe) this.take({ type: "lacking", probe });
    else {
      this.schedule();
      this.secrets = await Secrets.open(this.link.token);
      this.take({ type: "connect", no_camera: await probes.hasNoCamera() });
    }
  }

  // -- the machine --

  /** @param {import("./effects.js").Event} event */
  take(event) {
    this.todo.push(...this.machine.take(event, performance.now()));
    if (this.working) return; // what came of doing something is done after it
    this.working = true;
    try {
      /** @type {Doing} */
      const doing = this;
      for (let effect = this.todo.shift(); effect; effect = this.todo.shift()) doing[`do_${effect.do}`](effect);
    } finally {
      this.working = false;
    }
    this.schedule();
  }

  schedule() {
    clearTimeout(this.timer);
    const wait = this.machine.deadline - performance.now();
    if (wait < Infinity) this.timer = setTimeout(() => this.take({ type: "late" }), Math.max(0, wait) + 1);
  }

  /** @param {Way} way */
  press(way) {
    this.take({ type: way, alive: this.camera.alive });
  }

  // -- screens --

  /** @param {{screen: string, ways: Way[], data: Record<string, any>}} effect */
  do_show({ screen, ways, data }) {
    this.stopFrames();
    const link = `${location.origin}/verify#${this.link.token}`;
    this.view.show(() => draw(this.view, screen, ways, { ...data, link }, (way) => this.press(way)));
    this.host.event({ type: "screen", name: screen });
  }

  do_wait() {
    this.view.wait();
  }

  do_film() {
    this.stopFrames();
    if (this.camera.video.paused) this.camera.play();
    this.capture = this.view.showCapture(this.camera.video, (way) => this.press(way));
    this.host.event({ type: "screen", name: "capture" });
    this.do_hold_screen();
    if (this.channel) this.stopRun = this.camera.run(() => this.frameNonce(), this.channel, this.welcome?.limits ?? {});
  }

  /** @param {{change: Record<string, any>}} effect */
  do_draw({ change }) {
    this.capture?.set(change);
  }

  /** @param {{ways: Way[]}} effect */
  do_offer({ ways }) {
    this.capture?.offer(ways);
  }

  /** A frame carries the nonce of what was on the screen: only once the step has been painted. @param {{nonce: string}} effect */
  do_paint({ nonce }) {
    requestAnimationFrame(() => setTimeout(() => this.take({ type: "painted", nonce })));
  }

  /** Freezes the picture; no frames are taken. */
  do_rest() {
    this.stopRun?.();
    this.camera.video.pause();
  }

  do_say_connected() {
    this.view.say(this.view.t("connected"));
  }

  do_buzz_good() {
    navigator.vibrate?.([30, 60, 30]);
  }

  do_buzz_bad() {
    navigator.vibrate?.(120);
  }

  /** The nonce for a frame taken now; none if the picture's shape has changed since the step began. */
  frameNonce() {
    const nonce = this.machine.nonce;
    if (nonce === undefined) return undefined;
    if (nonce !== this.shown.nonce) {
      const bytes = Uint8Array.from(nonce.match(/../g) ?? [], (pair) => parseInt(pair, 16));
      this.shown = { nonce, bytes, shape: "" };
    }
    if (this.camera.hasPicture) {
      this.shown.shape ||= this.camera.shape;
      if (this.shown.shape !== this.camera.shape) this.take({ type: "turned" });
    }
    return this.machine.nonce === undefined ? undefined : this.shown.bytes;
  }

  stopFrames() {
    this.stopRun?.();
    this.stopRun = this.capture = undefined;
  }

  // -- the line --

  do_connect() {
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
      onmessage: (message) => this.take({ type: "message", message }),
      onconnection: (up) => this.take({ type: "line", up }),
      onblocked: () => this.take({ type: "blocked" }),
      onclose: (code) => this.take({ type: "closed", code }),
    });
  }

  do_drop() {
    this.channel?.drop();
  }

  do_hang_up() {
    this.channel?.close();
  }

  /** @param {{message: import("./protocol.js").DeviceMessage}} effect */
  do_send({ message }) {
    this.channel?.send(message);
  }

  /** @param {{welcome: import("./protocol.js").Welcome}} effect */
  do_welcome({ welcome }) {
    this.secrets.keep(welcome.device, welcome.expires_in + 3600);
    if (this.link.code) this.dropCode();
    this.welcome = welcome;
    this.nameAccount();
  }

  /** Removes the hand-over code, which is valid once: a reload must use the device's secret alone. */
  dropCode() {
    this.link.code = "";
    history.replaceState(null, "", location.href.replace(/#([^.&]+)\.[^&]*/, "#$1"));
  }

  // -- the camera --

  async do_open_camera() {
    try {
      if (await this.camera.open()) this.take({ type: "opened" });
    } catch (error) {
      if (!(error instanceof CameraError)) throw error;
      this.take({ type: "failed", reason: error.reason });
    }
  }

  async do_look() {
    const look = (this.look = {});
    if (this.camera.video.paused && !this.camera.needsTap) this.camera.play(); // one that left the page is paused
    const found = await this.camera.look();
    if (look !== this.look) return; // there was another since
    if (found === "picture" || found === "tap") this.take({ type: found });
    else this.take({ type: "failed", reason: found === "blank" ? "blank" : "lost" });
  }

  do_play() {
    this.camera.play();
  }

  do_next_camera() {
    this.camera.chooseNext();
  }

  do_close_camera() {
    this.camera.close();
  }

  /** @param {{on: boolean}} effect */
  do_press({ on }) {
    this.camera.press(on);
  }

  async do_hold_screen() {
    try {
      this.lock = await navigator.wakeLock?.request("screen");
    } catch {
      // Then the screen may turn off as usual.
    }
  }

  /** Releases camera and screen. */
  do_release() {
    this.camera.close();
    this.lock?.release();
    this.lock = undefined;
  }

  visibility() {
    this.take(document.hidden ? { type: "hidden" } : { type: "seen", alive: this.camera.alive });
  }

  // -- around the page --

  /** @param {{event: Record<string, unknown>}} effect */
  do_tell({ event }) {
    this.host.event(event);
  }

  /** @param {{code: number, message: string, passed?: boolean}} effect */
  do_end({ code, message, passed }) {
    this.channel?.close();
    this.camera.close();
    this.host.end(passed === undefined ? { code, message } : { code, message, passed });
  }

  do_open_window() {
    this.alone = window.open("", "_blank");
  }

  /** @param {{code: string}} effect */
  do_lead_window({ code }) {
    if (!this.alone) return;
    this.alone.opener = null;
    this.alone.location.replace(`${location.origin}/verify#${this.link.token}.${code}`);
    this.alone = undefined;
  }

  do_reload() {
    location.reload();
  }

  async do_copy() {
    await copyText(location.href);
    this.view.copied();
  }

  /** @param {string | null} asked */
  followTheme(asked) {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const set = () => {
      document.documentElement.dataset.theme = asked === "light" || asked === "dark" ? asked : dark.matches ? "dark" : "light";
    };
    dark.addEventListener?.("change", set);
    set();
  }

  /** @param {import("./language.js").Language} language */
  rememberLanguage(language) {
    this.nameAccount();
    try {
      localStorage.setItem(LANGUAGE_KEY, language);
    } catch {
      // The language is then chosen by the browser's languages again.
    }
  }

  nameAccount() {
    this.view.account = this.welcome?.names?.[this.view.language] ?? this.welcome?.account ?? "";
  }
}

new Verification(/** @type {HTMLElement} */ (document.getElementById("page"))).run();
