/** The camera: opening it, showing it, and turning it into JPEG frames of a size that the network carries. */

import { isForbidden } from "./probes.js";

/** From good to slow networks. Smaller comes before fewer: under four frames a second nothing counts. */
const LEVELS = [
  { side: 640, quality: 0.8, perSecond: 10 },
  { side: 560, quality: 0.72, perSecond: 9 },
  { side: 480, quality: 0.66, perSecond: 7 },
  { side: 400, quality: 0.6, perSecond: 6 },
];
const BUSY_BYTES = 160 * 1024; // waiting to leave: the network does not keep up
const STALE_MS = 1000; // some browsers do not tell of a live picture's frames
const CALM_MS = 6000; // of no trouble, after which a better level is tried
const WIDEST = 4 / 3; // wider pictures lose their sides, so that the face gets the pixels

export class CameraError extends Error {
  /** @param {"refused" | "policy" | "none" | "busy"} reason */
  constructor(reason) {
    super(`camera: ${reason}`);
    this.reason = reason;
  }
}

function reasonOf(error) {
  if (error.name === "NotAllowedError" || error.name === "SecurityError") {
    return isForbidden() ? "policy" : "refused";
  }
  return error.name === "NotFoundError" || error.name === "OverconstrainedError" ? "none" : "busy";
}

export class Camera {
  constructor() {
    this.video = document.createElement("video");
    this.video.muted = true;
    this.video.playsInline = true;
    for (const name of ["playsinline", "webkit-playsinline", "muted"]) this.video.setAttribute(name, "");
    this.canvas = document.createElement("canvas");
    this.level = 0;
    this.troubleAt = 0;
    this.takenAt = 0;
    const arrived = () => {
      this.fresh = true;
      this.video.requestVideoFrameCallback(arrived);
    };
    this.video.requestVideoFrameCallback?.(arrived);
  }

  /** Whether the camera has given a picture since the last that was taken: a slow one's are not sent twice. */
  get isFresh() {
    return this.fresh || !this.video.requestVideoFrameCallback || performance.now() - this.takenAt > STALE_MS;
  }

  /** @returns {Promise<void>} raises CameraError; where play() is refused, `needsTap` is true afterwards */
  async open() {
    this.close();
    const size = { width: { ideal: 640 }, height: { ideal: 480 } };
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: { facingMode: { ideal: "user" }, frameRate: { ideal: 24, max: 30 }, ...size },
      });
    } catch (error) {
      throw new CameraError(reasonOf(error));
    }
    this.video.srcObject = this.stream;
    await this.play();
  }

  /** Plays the picture; to be called from a tap where an in-app browser asks for one. */
  async play() {
    try {
      await this.video.play();
      this.needsTap = false;
    } catch {
      this.needsTap = true;
    }
  }

  /** Whether the picture still runs: phones take the camera away from a page in the background. */
  get alive() {
    const track = this.stream?.getVideoTracks()[0];
    return track !== undefined && track.readyState === "live" && !track.muted;
  }

  close() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = undefined;
    this.video.srcObject = null;
  }

  /**
   * Takes frames until the function that is returned is called.
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
        const due = current && !document.hidden && this.isFresh && channel.backlog < 2 * BUSY_BYTES;
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

  adapt(channel, now) {
    if (channel.backlog > BUSY_BYTES || channel.slowAckAt > this.troubleAt) {
      if (now - this.troubleAt > 1000) this.slower(now);
    } else if (this.level > 0 && now - this.troubleAt > CALM_MS) {
      this.level -= 1;
      this.troubleAt = now;
    }
  }

  /** One level smaller at once, as when the server says that too few frames arrive. */
  slower(now = performance.now()) {
    this.level = Math.min(this.level + 1, LEVELS.length - 1);
    this.troubleAt = now;
  }

  /** @returns {Promise<ArrayBuffer | undefined>} the picture as the camera sees it, not mirrored */
  async frame({ side, quality }) {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (!width || !height) return undefined;
    const cutWidth = Math.min(width, Math.round(height * WIDEST));
    const cutHeight = Math.min(height, Math.round(width * WIDEST));
    const scale = Math.min(1, side / Math.max(cutWidth, cutHeight));
    this.canvas.width = Math.round(cutWidth * scale);
    this.canvas.height = Math.round(cutHeight * scale);
    this.context ??= this.canvas.getContext("2d", { alpha: false });
    this.context.drawImage(this.video, (width - cutWidth) / 2, (height - cutHeight) / 2, cutWidth, cutHeight,
      0, 0, this.canvas.width, this.canvas.height);
    const blob = await new Promise((done) => this.canvas.toBlob(done, "image/jpeg", quality));
    return blob?.arrayBuffer();
  }
}
