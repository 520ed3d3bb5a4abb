/** Where a verification stands on this page: one table, in which every wait has an end and every end a way on. */

/** What may happen in every state that is not over: the server speaks, or the line is gone for good. */
const ALWAYS = { closed: "closed", unreachable: "offline", blocked: "blocked", judging: "judging", outcome: "done" };

/**
 * `on`: event to next state; an event that a state does not name is ignored there. `limit`: after so many milliseconds
 * that event comes by itself. `waits`: what the person can do is on the screen, so there is no limit.
 */
export const TABLE = {
  new: { on: { no_token: "no_token", lacking: "missing", connect: "opening" }, limit: [5000, "connect"] },
  no_token: { on: {}, waits: true },
  missing: { on: {}, waits: true },

  // The line. `opening` says after some seconds that it tries still; the channel itself gives up later.
  opening: { on: { ...ALWAYS, ready: "ready", resume: "asking", no_camera: "camera", slow: "connecting" }, limit: [7000, "slow"] },
  connecting: { on: { ...ALWAYS, connect: "opening", ready: "ready", resume: "asking", no_camera: "camera" }, waits: true },
  offline: { on: { connect: "opening" }, waits: true },
  blocked: { on: { connect: "opening" }, waits: true },
  closed: { on: { connect: "opening" }, waits: true },
  cancelled: { on: { connect: "opening" }, waits: true },

  // Before an attempt.
  ready: { on: { ...ALWAYS, agree: "asking", hand: "handover", cancel: "cancelled" }, waits: true },
  handover: { on: { ...ALWAYS, back: "ready", no_camera: "camera" }, waits: true },
  asking: { on: { ...ALWAYS, opened: "looking", failed: "camera", cancel: "cancelled" }, limit: [12000, "failed"] },
  camera: { on: { ...ALWAYS, open: "asking", opened: "looking", hand: "handover", cancel: "cancelled" }, waits: true },
  // The camera is open: its first picture, and whether a page may read it.
  looking: { on: { ...ALWAYS, picture: "starting", tap: "tap", failed: "camera", cancel: "cancelled" }, limit: [8000, "failed"] },
  tap: { on: { ...ALWAYS, tapped: "looking", lost: "asking", cancel: "cancelled" }, waits: true },

  // An attempt.
  starting: {
    on: { ...ALWAYS, heard: "starting", turn: "waiting", step: "capture", over: "over", lost: "lost", silence: "starting", cancel: "cancelled" },
    limit: [15000, "silence"],
  },
  // Others are before: the server says every few seconds how many, and goes on by itself.
  waiting: {
    on: { ...ALWAYS, turn: "waiting", step: "capture", over: "over", lost: "lost", silence: "starting", cancel: "cancelled" },
    limit: [15000, "silence"],
  },
  capture: {
    on: { ...ALWAYS, step: "capture", heard: "capture", over: "over", lost: "lost", silence: "starting", cancel: "cancelled" },
    limit: [75000, "silence"],
  },
  // The camera stopped in the middle: it is opened anew by itself, for the same attempt or the next.
  lost: { on: { ...ALWAYS, opened: "looking", failed: "camera", cancel: "cancelled" }, limit: [12000, "failed"] },
  over: { on: { ...ALWAYS, open: "asking", again: "looking", cancel: "cancelled" }, waits: true },

  // After it. `over`: an attempt that is judged and may be made again.
  judging: { on: { ...ALWAYS, over: "over", slow: "judging_slow" }, limit: [30000, "slow"] },
  judging_slow: { on: { ...ALWAYS, over: "over", connect: "opening" }, waits: true },
  done: { on: {}, waits: true },
};

/** Attempts run in these: frames are sent, and a camera that stops is opened anew. */
export const RUNNING = new Set(["starting", "waiting", "capture"]);

/** An attempt is being judged in these; another may follow. */
export const JUDGED = new Set(["judging", "judging_slow"]);

const TIMERS = { set: (act, ms) => setTimeout(act, ms), clear: (timer) => clearTimeout(timer) };

export class Machine {
  /**
   * @param {(state: string, detail: any, before: string) => void} onenter called on every move, also into the same state
   * @param {{set: (act: () => void, ms: number) => any, clear: (timer: any) => void}} [timers]
   */
  constructor(onenter, timers = TIMERS) {
    this.state = "new";
    this.onenter = onenter;
    this.timers = timers;
  }

  /** @param {string} event @param {any} [detail] @returns {boolean} whether the present state knows the event */
  go(event, detail) {
    const next = TABLE[this.state].on[event];
    if (next === undefined) return false;
    const before = this.state;
    this.state = next;
    this.timers.clear(this.timer);
    const [ms, late] = TABLE[next].limit ?? [];
    if (late) this.timer = this.timers.set(() => this.go(late, { late: true, waited: next }), ms);
    this.onenter(next, detail, before);
    return true;
  }
}
