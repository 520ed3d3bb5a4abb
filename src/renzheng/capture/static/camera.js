/** The camera: opening it, showing it, and turning it into JPEG frames of a size that the network carries. */

import { isForbidden, within } from "./probes.js";

/** From good to slow networks. Frames get smaller before they get fewer: under four per second nothing counts. */
const LEVELS = [
  { side: 640, quality: 0.8, perSecond: 10 },
  { side: 560, quality: 0.72, perSecond: 9 },
  { side: 480, quality: 0.66, perSecond: 8 },
  { side: 400, quality: 0.6, perSecond: 7 },
  { side: 360, quality: 0.5, perSecond: 6 },
];
const BUSY_BYTES = 96 * 1024; // waiting to leave: the network does not keep up
const STALE_MS = 1000; // some browsers do not tell of a live picture's frames
const CALM_MS = 6000; // of no trouble, after which a better level is tried
const SHRINK_MS = 1200; // between two steps down while the trouble lasts
const PROBE_MS = 500; // between two frames while those before are not acknowledged
const WIDEST = 4 / 3; // wider pictures lose their sides, so that the face gets the pixels
const MUTED_MS = 1500; // a track that is muted for longer is lost; shorter is a change of cameras
const FROZEN_MS = 5000; // without a new picture while the page is seen
const LIST_MS = 1500; // some browsers never answer which cameras there are
const WHITE = 250;
const NOISE_BYTES = 2.2; // a pixel: no picture needs so many, noise does

export class CameraError extends Error {
  /** @param {"refused" | "policy" | "none" | "busy"} reason */
  constructor(reason) {
    super(`camera: ${reason}`);
    this.reason = reason;
  }
}

/** @param {unknown} error */
function reasonOf(error) {
  const { name } = /** @type {Error} */ (error);
  if (name === "NotAllowedError" || name === "SecurityError") {
    return isForbidden() ? "policy" : "refused";
  }
  return name === "NotFoundError" || name === "OverconstrainedError" ? "none" : "busy";
}

export class Camera {
  /** @param {() => void} onlost called when the picture has stopped for good */
  constructor(onlost = () => undefined) {
    this.onlost = onlost;
    this.video = document.createElement("video");
    this.video.muted = true;
    this.video.playsInline = true;
    for (const name of ["playsinline", "webkit-playsinline", "muted"]) this.video.setAttribute(name, "");
    this.canvas = document.createElement("canvas");
    /** @type {CanvasRenderingContext2D | undefined} */
    this.context = undefined;
    this.level = 0;
    this.troubleAt = 0;
    this.takenAt = 0;
    /** @type {MediaDeviceInfo[]} the cameras that there are */
    this.choices = [];
    /** @type {(() => void) | undefined} */
    this.onchoices = undefined;
    /** @type {string | undefined} the id of the chosen one */
    this.chosen = undefined;
    this.fresh = false;
    /** @type {number | undefined} */
    this.freshAt = undefined;
    const arrived = () => {
      this.fresh = true;
      this.freshAt = performance.now();
      this.video.requestVideoFrameCallback(arrived);
    };
    this.video.requestVideoFrameCallback?.(arrived);
  }

  /** Whether there is a new picture since the last one taken, so that a slow camera's pictures are not sent twice. */
  get isFresh() {
    return this.fresh || !this.video.requestVideoFrameCallback || performance.now() - this.takenAt > STALE_MS;
  }

  /** The chosen camera, if there is one, as an exact constraint: browsers may ignore a preference. If it is gone: any. */
  async ask() {
    const size = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 24, max: 30 } };
    const media = navigator.mediaDevices;
    if (this.chosen) {
      try {
        return await media.getUserMedia({ audio: false, video: { deviceId: { exact: this.chosen }, ...size } });
      } catch (error) {
        if (reasonOf(error) !== "none") throw error;
        this.chosen = undefined;
      }
    }
    return media.getUserMedia({ audio: false, video: { facingMode: { ideal: "user" }, ...size } });
  }

  /**
   * Asks for the camera. The promise may never settle: some WebViews do not answer. A later call gets the
   * first stream that comes, and later ones are stopped.
   * @returns {Promise<boolean>} false if another call was faster; raises CameraError
   */
  async open() {
    this.close();
    const call = (this.call = {});
    let stream;
    try {
      stream = await this.ask();
    } catch (error) {
      if (this.call !== call) return false;
      throw new CameraError(reasonOf(error));
    }
    if (this.stream || this.call === undefined) {
      for (const track of stream.getTracks()) track.stop();
      return false;
    }
    this.stream = stream;
    this.video.srcObject = stream;
    this.watch(stream.getVideoTracks()[0]);
    this.play();
    this.list();
    return true;
  }

  /** Plays the picture. Must be called from a tap if an in-app browser requires one. May never settle. */
  async play() {
    this.needsTap = false;
    try {
      await this.video.play();
    } catch (error) {
      this.needsTap = /** @type {Error} */ (error).name === "NotAllowedError";
    }
  }

  /** Calls `onlost` if the track ends or stays muted: a call, another app, a privacy switch. @param {MediaStreamTrack} track */
  watch(track) {
    const lost = () => this.stream?.getVideoTracks()[0] === track && this.onlost();
    track.onended = lost;
    track.onmute = () => {
      setTimeout(() => track.muted && lost(), MUTED_MS);
    };
  }

  /** Lists the cameras, once one was allowed. The list may come later or never. */
  async list() {
    const devices = (await within(navigator.mediaDevices.enumerateDevices?.(), LIST_MS, [])) ?? [];
    this.choices = devices.filter((device) => device.kind === "videoinput" && device.deviceId);
    this.onchoices?.();
  }

  /** Chooses the next of several cameras, for the next `open`. */
  chooseNext() {
    const now = this.stream?.getVideoTracks()[0]?.getSettings?.().deviceId ?? this.chosen;
    const at = this.choices.findIndex((device) => device.deviceId === now);
    this.chosen = this.choices[(at + 1) % this.choices.length]?.deviceId;
  }

  /** Whether the picture still runs: phones take the camera away from a page in the background. */
  get alive() {
    const track = this.stream?.getVideoTracks()[0];
    return track !== undefined && track.readyState === "live" && !track.muted;
  }

  /** Whether there is a picture to take. */
  get hasPicture() {
    return this.video.readyState >= 2 && this.video.videoWidth > 0 && !this.video.paused;
  }

  /** "tall" or "wide", as the camera sees it now. */
  get shape() {
    return this.video.videoHeight > this.video.videoWidth ? "tall" : "wide";
  }

  /**
   * Waits for the first picture, and reads it like a frame.
   * @returns {Promise<"picture" | "tap" | "blank" | "gone">} `blank`: the browser gives the page white or noise instead
   */
  async look() {
    const stream = this.stream;
    while (this.stream === stream && stream && !this.hasPicture) {
      if (this.needsTap) return "tap";
      if (!this.alive && stream.getVideoTracks()[0]?.readyState === "ended") return "gone";
      await new Promise((done) => setTimeout(done, 50));
    }
    if (this.stream !== stream || !stream) return "gone";
    for (let tries = 0; tries < 3; tries += 1) {
      if (!(await this.isBlank())) return "picture";
      await new Promise((done) => setTimeout(done, 200));
    }
    return "blank";
  }

  /** Whether a frame is white or noise instead of a picture. A dark frame is a picture; the server says what to do. */
  async isBlank() {
    const jpeg = await this.frame(LEVELS[0]);
    if (!jpeg) return true;
    const pixels = this.canvas.width * this.canvas.height;
    if (jpeg.byteLength > pixels * NOISE_BYTES) return true;
    const picture = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" })).catch(() => undefined);
    if (!picture) return true;
    const small = document.createElement("canvas");
    small.width = small.height = 16;
    const context = /** @type {CanvasRenderingContext2D} */ (small.getContext("2d"));
    context.drawImage(picture, 0, 0, 16, 16);
    return context.getImageData(0, 0, 16, 16).data.every((value) => value >= WHITE);
  }

  close() {
    this.call = undefined;
    const stream = this.stream;
    this.stream = undefined;
    for (const track of stream?.getTracks() ?? []) track.stop();
    this.video.srcObject = null;
  }

  /**
   * Takes frames until the returned function is called.
   * @param {() => Uint8Array | undefined} nonce of the step on the screen at this moment; undefined: no frame now
   * @param {import("./channel.js").Channel} channel
   * @param {{frame_bytes?: number, max_fps?: number}} limits
   */
  run(nonce, channel, limits) {
    let running = true;
    const loop = async () => {
      while (running) {
        const began = performance.now();
        this.adapt(channel, began);
        const level = LEVELS[this.level];
        const current = nonce();
        // No queue: a frame that waits behind others would show an action seconds after it was done.
        const held = channel.isBehind && began - this.takenAt < PROBE_MS;
        const due = current && !document.hidden && this.isFresh && channel.backlog < BUSY_BYTES && !held;
        this.checkFrozen(began);
        if (due) {
          this.fresh = false;
          this.takenAt = began;
          const jpeg = await this.frame(level);
          if (jpeg && running && jpeg.byteLength <= (limits.frame_bytes ?? Infinity)) channel.sendFrame(current, jpeg);
        }
        const period = due ? 1000 / Math.min(level.perSecond, limits.max_fps ?? 10) : 20;
        await new Promise((done) => setTimeout(done, Math.max(5, period - (performance.now() - began))));
      }
    };
    loop();
    return () => {
      running = false;
    };
  }

  /** A live track without new pictures is lost too. Checked only if the browser reports new pictures. @param {number} now */
  checkFrozen(now) {
    if (document.hidden || this.freshAt === undefined || this.frozenSince === undefined) this.frozenSince = now;
    if (now - Math.max(this.freshAt ?? now, this.frozenSince) < FROZEN_MS) return;
    this.frozenSince = undefined;
    this.onlost();
  }

  /** @param {import("./channel.js").Channel} channel @param {number} now */
  adapt(channel, now) {
    if (this.pressed || channel.backlog > BUSY_BYTES / 2 || channel.slowAckAt > this.troubleAt) {
      if (now - this.troubleAt > SHRINK_MS) this.slower(now);
    } else if (this.level > 0 && now - this.troubleAt > CALM_MS) {
      this.level -= 1;
      this.troubleAt = now;
    }
  }

  /** Makes frames smaller as long as the server says that too few arrive. @param {boolean} on */
  press(on) {
    if (on && !this.pressed) this.slower();
    this.pressed = on;
  }

  /** Makes frames one level smaller at once. */
  slower(now = performance.now()) {
    this.level = Math.min(this.level + 1, LEVELS.length - 1);
    this.troubleAt = now;
  }

  /** @param {{side: number, quality: number}} level @returns {Promise<ArrayBuffer | undefined>} the picture as the camera sees it, not mirrored */
  async frame({ side, quality }) {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (!width || !height) return undefined;
    const cutWidth = Math.min(width, Math.round(height * WIDEST));
    const cutHeight = Math.min(height, Math.round(width * WIDEST));
    const scale = Math.min(1, side / Math.max(cutWidth, cutHeight));
    this.canvas.width = Math.round(cutWidth * scale);
    this.canvas.height = Math.round(cutHeight * scale);
    this.context ??= /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d", { alpha: false }));
    this.context.drawImage(this.video, (width - cutWidth) / 2, (height - cutHeight) / 2, cutWidth, cutHeight,
      0, 0, this.canvas.width, this.canvas.height);
    /** @type {Blob | null} */
    const blob = await new Promise((done) => this.canvas.toBlob(done, "image/jpeg", quality));
    return blob?.arrayBuffer();
  }
}
