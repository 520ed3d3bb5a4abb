/** The capture protocol in JavaScript: its version, its messages and its close codes. docs/capture-protocol.md says what each means. */

export const PROTOCOL = 1;

/**
 * Why a socket was closed, and whether connecting again would get the same answer. `told`: how the end is reported to
 * an app, as a code of Tencent's SDK and a sentence for its developer.
 * @type {Record<number, {final: boolean, told?: [number, string]}>}
 */
export const CLOSES = {
  1000: { final: true },
  1009: { final: true },
  1012: { final: false },
  4400: { final: true },
  4401: { final: true, told: [288, "the token is unknown"] },
  4403: { final: true, told: [216, "this origin is not allowed"] },
  4406: { final: true, told: [216, "the page is out of date"] },
  4408: { final: false },
  4409: { final: true, told: [214, "another device holds the verification"] },
  4410: { final: true, told: [288, "the token has expired"] },
  4411: { final: true, told: [288, "the token was used"] },
  4412: { final: true, told: [214, "another device has taken over"] },
  4413: { final: true },
  4414: { final: true, told: [288, "the token is bound to another device"] },
  4422: { final: true },
  4429: { final: true },
  4503: { final: false, told: [210, "the server has no room"] },
  4504: { final: true, told: [210, "the token would expire before it is this person's turn"] },
};

/**
 * From the server.
 * @typedef {{frame_bytes?: number, frame_pixels?: number, min_fps?: number, max_fps?: number, idle_seconds?: number}} Limits
 * @typedef {object} Welcome
 * @property {"welcome"} type
 * @property {string} device the secret of this device
 * @property {"ready" | "capturing" | "judging" | "passed" | "failed"} state
 * @property {number} attempts_left
 * @property {number} expires_in seconds
 * @property {string} [account] who asks
 * @property {Record<import("./language.js").Language, string>} [names]
 * @property {string} [privacy_url]
 * @property {string} [contact]
 * @property {"LOCAL" | "BUSINESS"} [compares]
 * @property {{result_seconds: number, evidence_days: number}} [retention]
 * @property {Limits} [limits]
 * @property {boolean} [handover]
 * @property {boolean} [loopback]
 * @property {boolean} [eases]
 * @property {boolean} [light]
 *
 * @typedef {{type: "identify", nonce: string}} Identify
 * @typedef {{type: "ping", id: string}} Ping
 * @typedef {{type: "ack", sequence: number}} Ack
 * @typedef {{type: "error", code: number, message: string}} Failure
 * @typedef {Identify | Ping | Ack | Failure} LineNews what the line itself answers
 * @typedef {{type: "network", ok: boolean, reason?: "slow_round_trip" | "too_few_frames"}} Network
 * @typedef {object} Step
 * @property {"step"} type
 * @property {number} index 0 is the neutral one; above `of` are the colours
 * @property {number} of how many actions
 * @property {string} action
 * @property {string} nonce 32 hex digits
 * @property {number} seconds
 * @property {boolean} [again]
 * @property {string} [colour] `#rrggbb`
 * @typedef {{type: "wait", position: number, seconds: number}} Wait
 * @typedef {{type: "hint", code: string | null}} Hint
 * @typedef {object} AttemptOver
 * @property {"attempt_over"} type
 * @property {string} reason
 * @property {boolean} counted
 * @property {number} attempts_left
 * @property {boolean} [eases]
 * @property {string} [advice]
 * @typedef {{type: "handover", code: string, expires_in: number, modules?: string[]}} Offer
 * @typedef {{type: "judging"}} Judging
 * @typedef {{type: "outcome", passed: boolean, retry?: "never" | "tomorrow", advice?: string}} Outcome
 * @typedef {Welcome | Step | Wait | Hint | Network | AttemptOver | Offer | Judging | Outcome} ServerMessage
 */

/**
 * From the device.
 * @typedef {object} Hello
 * @property {string} token
 * @property {string} [device]
 * @property {string} [handover]
 * @property {import("./language.js").Language} [language]
 * @property {string} [embedder]
 * @typedef {"granted" | "refused" | "policy" | "none" | "busy" | "silent" | "dark" | "blank" | "lost"} CameraNote
 * What the line itself says.
 * @typedef {{type: "hello", protocol: number} & Hello | {type: "pong", id: string} | {type: "identity", signature: string}} LineMessage
 * @typedef {{type: "start"} | {type: "handover"} | {type: "ease"} | {type: "note", camera: CameraNote}
 *   | {type: "cancel", reason?: "light"} | {type: "restart", reason: "turned" | "camera"}} DeviceMessage
 */
