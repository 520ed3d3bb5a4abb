/** The capture protocol, version 1, on one WebSocket after another: hello, frames, reconnecting. Shows nothing. */

import { CLOSES, PROTOCOL } from "./protocol.js";

const STALLED_MS = 3000; // bytes that do not leave for this long: the connection is gone without a word
const WELCOME_MS = 8000;
const SLOW_ACK_MS = 1200;
const POLLED_MS = 1000; // whoever looks at the backlog more rarely has not watched it
const PROBE_MS = 4000;
const NO_UPGRADE = 426;
const SENT_KEPT = 100;

/** @param {Uint8Array} bytes */
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** The device's secrets, one per token, under the token's hash. Kept in memory if storage is refused. */
export class Secrets {
  static prefix = "renzheng.device.";

  key = "";
  /** @type {string | undefined} */
  value = undefined;

  /** @param {string} token */
  static async open(token) {
    const secrets = new Secrets();
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token));
    secrets.key = Secrets.prefix + hex(new Uint8Array(digest));
    try {
      for (const key of Object.keys(localStorage)) {
        if (!key.startsWith(Secrets.prefix)) continue;
        const { until } = JSON.parse(localStorage.getItem(key) ?? "{}");
        if (!(until > Date.now())) localStorage.removeItem(key);
      }
      secrets.value = JSON.parse(localStorage.getItem(secrets.key) ?? "null")?.secret;
    } catch {
      // Storage is refused in some frames and private windows.
    }
    return secrets;
  }

  /** @param {string} secret @param {number} seconds how long it can be of use */
  keep(secret, seconds) {
    this.value = secret;
    try {
      localStorage.setItem(this.key, JSON.stringify({ secret, until: Date.now() + seconds * 1000 }));
    } catch {
      // As above. After a reload, the device then waits until the server forgets the first socket.
    }
  }
}

export class Channel {
  /**
   * @param {object} options
   * @param {string} options.url of the WebSocket
   * @param {() => import("./protocol.js").Hello} options.hello the fields of the first message beside type and protocol
   * @param {(nonce: string) => Promise<string>} options.identify signs the nonce of a bound token
   * @param {(message: import("./protocol.js").ServerMessage) => void} options.onmessage
   * @param {(connected: boolean) => void} options.onconnection
   * @param {() => void} options.onblocked the server answers, but something between blocks WebSockets
   * @param {(code: number) => void} options.onclose the final close: a code of the protocol, 1000, or 0 if nothing answers
   * @param {number} [options.patience] milliseconds of fruitless reconnecting
   */
  constructor(options) {
    this.options = { patience: 45000, ...options };
    // Starts at the current time, in steps shorter than a frame, so that a page reopened in the same attempt continues above.
    this.sequence = Math.floor(Date.now() / 50) % 2 ** 32;
    /** @type {Map<number, number>} when each frame was sent, by its sequence */
    this.sentAt = new Map();
    /** @type {WebSocket | undefined} */
    this.socket = undefined;
    /** @type {number | undefined} since when there is no connection */
    this.lostSince = undefined;
    this.polledAt = this.lastBacklog = this.drainedAt = -Infinity;
    this.opened = this.ready = this.acked = false;
    this.refusals = 0;
    this.slowAckAt = -Infinity;
    this.closed = false;
    this.online = () => this.socket || this.connect();
    this.offline = () => this.drop();
    addEventListener("online", this.online);
    addEventListener("offline", this.offline);
    this.connect();
  }

  connect() {
    clearTimeout(this.timer);
    if (this.closed) return;
    let socket;
    try {
      socket = new WebSocket(this.options.url);
    } catch {
      this.finish(0);
      return;
    }
    this.socket = socket;
    this.failure = undefined;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.opened = true;
      socket.send(JSON.stringify({ type: "hello", protocol: PROTOCOL, ...this.options.hello() }));
    };
    socket.onmessage = (event) => this.receive(socket, event.data);
    socket.onclose = (event) => socket === this.socket && this.lost(event.code);
    this.welcomeTimer = setTimeout(() => this.drop(), WELCOME_MS);
    this.sentAt.clear();
  }

  /** @param {WebSocket} socket @param {string} data */
  async receive(socket, data) {
    if (socket !== this.socket) return;
    /** @type {import("./protocol.js").ServerMessage | import("./protocol.js").LineNews} */
    const message = JSON.parse(data);
    switch (message.type) {
      case "ping":
        this.send({ type: "pong", id: message.id });
        return;
      case "identify":
        this.send({ type: "identity", signature: await this.options.identify(message.nonce) });
        return;
      case "ack":
        this.noteAck(message.sequence);
        return;
      case "welcome":
        clearTimeout(this.welcomeTimer);
        this.lostSince = undefined;
        this.refusals = 0;
        this.ready = true;
        this.options.onconnection(true);
        break;
      case "error":
        this.failure = message.code;
        return;
    }
    this.options.onmessage(message);
  }

  /** @param {number} sequence */
  noteAck(sequence) {
    this.acked = true;
    const sent = this.sentAt.get(sequence);
    if (sent !== undefined && performance.now() - sent > SLOW_ACK_MS) this.slowAckAt = performance.now();
    for (const key of this.sentAt.keys()) if (key <= sequence) this.sentAt.delete(key);
  }

  /** @param {import("./protocol.js").DeviceMessage | import("./protocol.js").LineMessage} message @returns {boolean} whether it could be sent */
  send(message) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  /** @param {Uint8Array} nonce 16 bytes @param {ArrayBuffer} jpeg */
  sendFrame(nonce, jpeg) {
    if (!this.ready || this.socket?.readyState !== WebSocket.OPEN) return false;
    this.sequence += 1;
    const message = new Uint8Array(21 + jpeg.byteLength);
    message[0] = 1;
    message.set(nonce, 1);
    new DataView(message.buffer).setUint32(17, this.sequence);
    message.set(new Uint8Array(jpeg), 21);
    this.socket.send(message);
    this.sentAt.set(this.sequence, performance.now());
    // Frames before the first good one are never acknowledged.
    if (this.sentAt.size > SENT_KEPT) this.sentAt.delete([...this.sentAt.keys()][0]);
    return true;
  }

  /** Bytes that wait to be sent. If they do not move for long, the connection is dropped and opened again. */
  get backlog() {
    const now = performance.now();
    const waiting = this.socket?.bufferedAmount ?? 0;
    // The clock runs only while frames are sent: before that, it is not known which bytes left when.
    const watched = now - this.polledAt < POLLED_MS;
    this.polledAt = now;
    if (!watched || waiting === 0 || waiting < this.lastBacklog) this.drainedAt = now;
    this.lastBacklog = waiting;
    if (waiting > 0 && now - this.drainedAt > STALLED_MS) this.drop();
    return waiting;
  }

  /** Whether frames sent long ago are not acknowledged, though others on this socket were. */
  get isBehind() {
    if (!this.acked) return false;
    const [oldest] = this.sentAt.values();
    return oldest !== undefined && performance.now() - oldest > SLOW_ACK_MS;
  }

  /** Drops the present socket as lost, without waiting for an answer to its close. */
  drop() {
    const socket = this.socket;
    if (!socket || this.closed) return;
    socket.onclose = null;
    socket.close();
    this.lost(1006);
  }

  /** @param {number} code */
  lost(code) {
    clearTimeout(this.welcomeTimer);
    this.socket = undefined;
    this.ready = false;
    this.acked = false;
    this.sentAt.clear();
    if (this.closed) return;
    if (!this.opened) this.probe();
    this.opened = false;
    const final = [code, this.failure].find((one) => one !== undefined && CLOSES[one]?.final);
    if (final !== undefined) {
      this.finish(final);
      return;
    }
    const now = performance.now();
    this.lostSince ??= now;
    const away = now - this.lostSince;
    if (away > this.options.patience || (code === 4503 && away > 10000)) {
      this.finish(code === 4503 ? 4503 : 0);
      return;
    }
    this.options.onconnection(false);
    this.timer = setTimeout(() => this.connect(), Math.min(4000, 300 + away * 0.25) * (0.8 + 0.4 * Math.random()));
  }

  /** After a second socket that did not open, checks whether the server answers plain requests: then something between blocks. */
  async probe() {
    this.refusals += 1;
    if (this.refusals < 2) return;
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), PROBE_MS);
    try {
      const address = this.options.url.replace(/^ws/, "http");
      const reply = await fetch(address, { cache: "no-store", signal: abort.signal });
      if (reply.status === NO_UPGRADE && !this.closed && !this.ready && !this.opened) {
        this.close();
        this.options.onblocked();
      }
    } catch {
      // Nothing answers at all: there is no connection, and it is tried again.
    } finally {
      clearTimeout(timer);
    }
  }

  /** @param {number} code */
  finish(code) {
    if (this.closed) return;
    this.close();
    this.options.onclose(code);
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    clearTimeout(this.welcomeTimer);
    removeEventListener("online", this.online);
    removeEventListener("offline", this.offline);
    if (this.socket) this.socket.onclose = null;
    this.socket?.close(1000);
    this.socket = undefined;
  }
}
