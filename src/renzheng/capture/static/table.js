/** The states of a verification on this page: one table, in which every wait has an end and every end a way on. */

/** Moves in every state with a connection: the server's messages, and the loss of the connection for good. */
const ALWAYS = {
  closed: "closed", unreachable: "offline", blocked: "blocked", judging: "judging", accepted: "passed", rejected: "not_passed",
};

const CLOSED = [1009, 4400, 4401, 4403, 4406, 4409, 4410, 4411, 4412, 4413, 4414, 4422, 4429, 4503, 4504];
const NO_CAMERA = ["refused", "policy", "busy", "none", "silent", "dark", "blank", "lost"];
const OVER = ["timeout", "not_ready", "turned", "camera", "eased", "slow_line", "lost_line", "server", "not_passed"];
const MISSING = ["insecure", "in_app", "old", "no_socket"];

/**
 * @typedef {keyof typeof STATES} State
 * @typedef {object} Row
 * @property {Record<string, State>} on move to the next state; a move that a state does not name is none
 * @property {[number, string]} [limit] after so many milliseconds that move comes by itself; every state that does not
 *   wait for the person has one
 * @property {string[]} [screens] one of these is shown; without them the screen before stays, and says that it waits
 * @property {boolean} [ends] the words of its screen say what to do, which may be nothing on this page
 */

const STATES = {
  new: { on: { no_token: "no_token", lacking: "missing", connect: "opening" }, limit: [5000, "connect"] },
  no_token: { on: { leave: "left" }, screens: ["no_token"], ends: true },
  missing: { on: { leave: "left" }, screens: MISSING.map((name) => `missing_${name}`), ends: true },

  // The connection. After some seconds, `opening` says that it keeps trying; the channel itself gives up later.
  opening: {
    on: { ...ALWAYS, ready: "ready", resume: "asking", no_camera: "camera", slow: "connecting" },
    limit: [7000, "slow"], screens: ["opening"],
  },
  connecting: {
    on: { ...ALWAYS, connect: "opening", ready: "ready", resume: "asking", no_camera: "camera", leave: "left" },
    screens: ["connecting"],
  },
  offline: { on: { connect: "opening", leave: "left" }, screens: ["offline"] },
  blocked: { on: { connect: "opening", leave: "left" }, screens: ["blocked"] },
  closed: { on: { connect: "opening", leave: "left" }, screens: CLOSED.map((code) => `closed_${code}`), ends: true },
  cancelled: { on: { connect: "opening" }, screens: ["cancelled", "declined_light"] },

  // Before an attempt.
  ready: { on: { ...ALWAYS, agree: "asking", hand: "handing", cancel: "cancelled" }, screens: ["ready"] },
  handing: { on: { ...ALWAYS, code: "handover", back: "ready", no_camera: "camera" }, screens: ["handing"] },
  handover: {
    on: { ...ALWAYS, code: "handover", stale: "handover_over", back: "ready", no_camera: "camera" },
    limit: [600_000, "stale"], screens: ["handover"],
  },
  handover_over: {
    on: { ...ALWAYS, code: "handover", renew: "handing", back: "ready", no_camera: "camera" }, screens: ["handover_over"],
  },
  // If permission was given before, the camera opens at once, and the screen that explains the question would only flash.
  asking: {
    on: { ...ALWAYS, opened: "looking", failed: "camera", cancel: "cancelled", leave: "left", explain: "explaining" }, limit: [350, "explain"],
  },
  explaining: { on: { ...ALWAYS, opened: "looking", failed: "camera", cancel: "cancelled" }, limit: [12_000, "failed"], screens: ["asking"] },
  camera: {
    on: { ...ALWAYS, open: "asking", consent: "ready", opened: "looking", hand: "handing", cancel: "cancelled", leave: "left" },
    screens: NO_CAMERA.map((reason) => `camera_${reason}`),
  },
  // The camera is open: its first picture, and whether a page may read it.
  looking: { on: { ...ALWAYS, picture: "starting", tap: "tap", failed: "camera", cancel: "cancelled", leave: "left" }, limit: [8000, "failed"] },
  tap: { on: { ...ALWAYS, tapped: "looking", lost: "asking", cancel: "cancelled" }, screens: ["tap"] },

  // An attempt.
  starting: {
    on: { ...ALWAYS, heard: "starting", turn: "waiting", step: "capture", over: "over", lost: "lost", silence: "starting", cancel: "cancelled" },
    limit: [15_000, "silence"], screens: ["capture"],
  },
  // Others are served first: the server says every few seconds how many, and continues by itself.
  waiting: {
    on: { ...ALWAYS, turn: "waiting", step: "capture", over: "over", lost: "lost", silence: "starting", cancel: "cancelled" },
    limit: [15_000, "silence"], screens: ["waiting"],
  },
  capture: {
    on: { ...ALWAYS, step: "capture", heard: "capture", over: "over", lost: "lost", silence: "starting", cancel: "cancelled" },
    limit: [75_000, "silence"], screens: ["capture"],
  },
  // The camera stopped in the middle: its screen stays long enough to be read and for another app to let go of the
  // camera, which is then opened anew by itself, for the same attempt or the next.
  lost: { on: { ...ALWAYS, reopen: "reopening", cancel: "cancelled" }, limit: [1500, "reopen"], screens: ["camera_stopped"] },
  reopening: { on: { ...ALWAYS, opened: "looking", failed: "camera", cancel: "cancelled" }, limit: [12_000, "failed"] },
  over: { on: { ...ALWAYS, open: "asking", again: "looking", cancel: "cancelled" }, screens: OVER.map((reason) => `over_${reason}`) },

  // After an attempt. `over`: it was judged, and another may follow.
  judging: { on: { ...ALWAYS, over: "over", slow: "judging_slow" }, limit: [30_000, "slow"], screens: ["capture"] },
  judging_slow: { on: { ...ALWAYS, over: "over", connect: "opening" }, screens: ["judging_slow"] },
  // Long enough to be read before the host page or app continues.
  passed: { on: { leave: "left" }, limit: [1800, "leave"], screens: ["passed"] },
  not_passed: { on: { leave: "left" }, screens: ["failed", "failed_tomorrow"], ends: true },
  left: { on: { leave: "left" }, ends: true },
};

/** @type {Record<State, Row>} */
export const TABLE = /** @type {any} */ (STATES);

/** States in which an attempt runs: frames are sent, and a camera that stops is opened again. */
export const RUNNING = new Set(["starting", "waiting", "capture"]);

/** States in which an attempt is being judged; another may follow. */
export const JUDGED = new Set(["judging", "judging_slow"]);

/** States in which a phone may take over. */
export const HANDING = new Set(["handing", "handover", "handover_over"]);
