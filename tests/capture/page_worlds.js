/**
 * The page's machine among a person, a camera, a line and a server that do what they like: no browser and no waiting.
 * What the server says within an attempt was said by its own conversation before; it is read from standard input, with
 * `{worlds, conversations: [{messages, end, counted}]}`. Prints what was seen, and what broke a rule.
 */

import { readFileSync } from "node:fs";
import { Machine } from "./machine.js";
import { TABLE } from "./table.js";

const given = JSON.parse(readFileSync(0, "utf8"));
const FAULTLESS = ["turned", "camera", "eased", "slow_line", "server"];
const CLOSES = TABLE.closed.screens.map((name) => Number(name.split("_")[1]));
const REASONS = TABLE.camera.screens.map((name) => name.split("_")[1]).filter((reason) => !["silent", "dark", "blank", "lost"].includes(reason));

/** @param {number} seed @returns {() => number} 0 to 1, the same for the same seed */
const random = (seed) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
};

class Broken extends Error {}

/** One person's verification. `calm`: nothing goes wrong and the person does what the first button says. */
class World {
  constructor(seed, calm) {
    this.chance = random(seed);
    this.calm = calm;
    this.machine = new Machine({ attended: this.chance() < 0.5, phone: this.chance() < 0.5 });
    this.now = 1000;
    this.queue = []; // what is under way: [at, act]
    this.log = [];
    this.screen = undefined;
    this.ways = [];
    this.left = 3;
    this.eases = true;
    this.attempt = undefined; // what the server has yet to say in the attempt that is under way
    this.step = undefined;
    this.judged = undefined; // an outcome
    this.line = 0; // its number: what comes over an older one is not heard
    this.isOpen = false;
    this.agreed = false;
    this.starts = 0;
  }

  pick(list) {
    return list[Math.floor(this.chance() * list.length)];
  }

  rule(holds, text) {
    if (!holds) throw new Broken(`${text} in ${this.machine.state}; ${this.log.slice(-25).join(" > ")}`);
  }

  in(ms, act) {
    this.queue.push([this.now + ms, act]);
    this.queue.sort((a, b) => a[0] - b[0]);
  }

  // -- the machine --

  take(event) {
    const { machine } = this;
    this.log.push(`${event.type}${event.message ? `:${event.message.type}` : ""}`);
    if (event.type === "agree") this.agreed = true;
    const before = machine.state;
    const effects = machine.take(event, this.now);
    for (const effect of effects) this.look(effect);
    this.check();
    if (before !== machine.state || effects.some((one) => one.do === "show" || one.do === "offer")) this.tryWays();
    seen.states.add(machine.state);
    for (const effect of effects) this.do(effect);
  }

  /** What is on the screen after it. */
  look(effect) {
    if (effect.do === "show") [this.screen, this.ways] = [effect.screen, effect.ways];
    if (effect.do === "film") [this.screen, this.ways] = ["capture", []];
    if (effect.do === "offer") this.ways = effect.ways;
    if (effect.do === "wait") this.ways = this.ways.filter((way) => way === "cancel" || way === "leave");
    if (effect.do === "show" || effect.do === "film") seen.screens.add(this.screen);
    if (effect.do === "show") shows.set(`${effect.screen} ${effect.ways}`, effect);
  }

  check() {
    const { machine } = this;
    const row = TABLE[machine.state];
    this.rule(row !== undefined, "a state that is not in the table");
    if (row.screens) this.rule(row.screens.includes(this.screen), `the screen ${this.screen}`);
    const [ms] = row.limit ?? [Infinity];
    this.rule(row.limit ? machine.deadline <= this.now + ms : machine.deadline === Infinity, "a deadline that is not the table's");
    if (!row.limit && !row.ends) this.rule(this.ways.length > 0, "no limit and nothing to press");
    if (machine.nonce !== undefined) {
      this.rule(machine.state === "capture" && this.isOpen && machine.nonce === this.step?.nonce, "frames for what is not on the screen");
    }
  }

  /** Whatever can be pressed does something. */
  tryWays() {
    const { machine } = this;
    for (const way of this.ways) {
      if (way === "alone" && !this.isOpen) continue; // the new window would wait for a code that cannot come
      seen.ways.add(`${this.screen} ${way}`);
      const other = Object.assign(Object.create(Machine.prototype), structuredClone({ ...machine }));
      const effects = other.take({ type: way, alive: true }, this.now);
      const moved = other.state !== machine.state || effects.length > 0;
      this.rule(moved || machine.state === "left", `nothing comes of ${way}`);
    }
  }

  do(effect) {
    const { chance } = this;
    const trouble = (share) => !this.calm && chance() < share;
    switch (effect.do) {
      case "connect":
      case "drop":
        this.disconnect();
        this.reconnect();
        break;
      case "hang_up":
      case "end":
        this.line += 1;
        this.isOpen = false;
        break;
      case "send":
        this.rule(this.isOpen, `${effect.message.type} sent without a line`);
        this.hear(effect.message);
        break;
      case "open_camera":
        this.rule(this.agreed || this.attempt !== undefined, "a camera that nobody agreed to");
        if (trouble(0.1)) break;
        if (trouble(0.2)) this.in(chance() * 3000, () => this.take({ type: "failed", reason: this.pick(REASONS) }));
        else this.in(chance() * (trouble(0.1) ? 15_000 : 600), () => this.take({ type: "opened" }));
        break;
      case "look":
        if (trouble(0.1)) break;
        this.in(chance() * 500, () => this.take(trouble(0.2) ? { type: "tap" } : trouble(0.2) ? { type: "failed", reason: this.pick(["blank", "lost"]) } : { type: "picture" }));
        break;
      case "paint":
        this.in(16, () => this.take({ type: "painted", nonce: effect.nonce }));
        break;
    }
  }

  // -- the line and the server --

  disconnect() {
    const was = this.isOpen;
    this.isOpen = false;
    this.line += 1;
    if (was) this.take({ type: "line", up: false });
  }

  reconnect() {
    const line = this.line;
    const came = (act) => () => line === this.line && act();
    const fate = this.calm ? 1 : this.chance();
    if (this.dead) this.in(45_000, came(() => this.close(0)));
    else if (fate < 0.02) this.in(45_000, came(() => this.close(0)));
    else if (fate < 0.04) this.in(3000, came(() => this.shut({ type: "blocked" })));
    else if (fate < 0.07) this.in(500, came(() => this.close(this.pick(CLOSES))));
    else this.in(this.chance() * (fate < 0.1 ? 20_000 : 800), came(() => this.welcome()));
  }

  shut(event) {
    this.line += 1;
    this.isOpen = false;
    this.take(event);
  }

  close(code) {
    this.shut({ type: "closed", code });
  }

  say(message) {
    seen.messages.add(message.type);
    if (this.isOpen) this.take({ type: "message", message });
  }

  welcome() {
    // What ran out while the line was gone ends by the server's clock.
    if (this.attempt && !this.calm && this.chance() < 0.3) this.endAttempt("timeout", true, false);
    const state = this.attempt ? "capturing" : this.judged ? "judging" : "ready";
    this.isOpen = true;
    this.take({ type: "line", up: true });
    const more = { handover: this.chance() < 0.5, loopback: this.chance() < 0.2, eases: this.eases };
    this.say({ type: "welcome", device: "ab".repeat(16), state, attempts_left: this.left, expires_in: 600, limits: {}, ...more });
    if (this.judged) this.judge();
    if (this.attempt) {
      if (this.step) this.say(this.step);
      this.goOn();
    }
  }

  hear(message) {
    const line = this.line;
    const reply = (ms, act) => this.in(ms, () => line === this.line && act());
    if (message.type === "start") {
      this.starts += 1;
      if (this.attempt || this.judged || this.left <= 0) return;
      const quiet = !this.calm && this.chance() < 0.05;
      if (quiet) return; // a server that lets people in and then says nothing
      const begin = () => {
        if (this.attempt || this.judged) return;
        const told = this.pick(this.calm ? passing : given.conversations);
        this.attempt = { ...told, messages: [...told.messages] };
        this.goOn();
      };
      const others = this.chance() < 0.2 ? Math.ceil(this.chance() * 4) : 0;
      for (let ahead = others; ahead > 0; ahead -= 1) reply((others - ahead) * 4000, () => this.say({ type: "wait", position: ahead, seconds: ahead * 20 }));
      reply(others * 4000 + this.chance() * 300, begin);
    } else if (message.type === "restart") {
      if (this.attempt) reply(30, () => this.attempt && this.endAttempt(message.reason, this.step?.index > 0));
    } else if (message.type === "ease") {
      this.eases = false;
      if (this.attempt) reply(30, () => this.attempt && this.endAttempt("eased", this.step?.index > 0));
    } else if (message.type === "handover") {
      reply(50, () => this.say({ type: "handover", code: "12345678", expires_in: 120, modules: ["01", "10"] }));
      if (!this.calm && this.chance() < 0.3) reply(9000, () => this.close(4412));
    }
  }

  /** The next message of the conversation, in its time. */
  goOn() {
    const { attempt, line } = this;
    this.in(20 + this.chance() * 900, () => {
      if (line !== this.line || attempt !== this.attempt || !attempt) return;
      const message = attempt.messages.shift();
      if (!message) {
        this.finish(attempt);
        return;
      }
      if (message.type === "step") this.step = message;
      this.say(message);
      this.goOn();
    });
  }

  finish(attempt) {
    if (attempt.end !== "completed") {
      this.endAttempt(attempt.end, attempt.counted > 0);
      return;
    }
    this.attempt = this.step = undefined;
    const fate = this.calm ? 0 : this.chance();
    this.judged = fate < 0.5 ? { passed: true } : fate < 0.7 || this.left === 1 ? { passed: false, retry: this.pick(["never", "tomorrow"]), advice: this.pick(["action", "light", "photo", "later"]) } : {};
    this.judge();
  }

  /** @param {string} reason @param {boolean} counts @param {boolean} [tells] */
  endAttempt(reason, counts, tells = true) {
    const spared = FAULTLESS.includes(reason) && this.chance() < 0.7;
    const counted = counts && !spared;
    this.attempt = this.step = undefined;
    if (counted) this.left -= 1;
    if (this.left <= 0) {
      this.judged = { passed: false, retry: "never" };
      if (tells) this.judge();
    } else if (tells) this.say({ type: "attempt_over", reason, counted, attempts_left: this.left, eases: this.eases });
  }

  judge() {
    const line = this.line;
    this.say({ type: "judging" });
    const long = !this.calm && this.chance() < 0.1;
    this.in(long ? 60_000 : this.chance() * 3000, () => {
      if (!this.judged || (line !== this.line && this.judged.passed !== undefined)) return;
      if (this.judged.passed !== undefined) {
        this.say({ type: "outcome", ...this.judged });
        this.close(1000);
        return;
      }
      this.judged = undefined;
      this.left -= 1;
      this.say({ type: "attempt_over", reason: "not_passed", counted: true, attempts_left: this.left, eases: this.eases, advice: "light" });
    });
  }

  // -- what happens --

  /** One thing: of what is under way, of the person, or of the world. */
  tick() {
    const { machine } = this;
    const fate = this.calm ? 1 : this.chance();
    const next = Math.min(this.queue[0]?.[0] ?? Infinity, machine.deadline);
    const waits = !TABLE[machine.state].limit && this.ways[0] !== "cancel";
    if (this.ways.length > 0 && (this.calm ? waits : fate < 0.12 || next === Infinity)) {
      this.now += 50;
      const way = this.calm || this.chance() < 0.6 ? this.ways[0] : this.pick(this.ways);
      seen.pressed += 1;
      this.take({ type: way, alive: this.chance() < 0.8 });
    } else if (fate < 0.16) this.disturb();
    else if (next < Infinity) {
      this.now = Math.max(this.now, next);
      if (machine.deadline <= next) this.take({ type: "late" });
      else this.queue.shift()[1]();
    } else return false;
    return true;
  }

  disturb() {
    this.now += this.chance() * 200;
    const what = this.pick(["line", "line", "stopped", "turned", "hidden", "seen", "cameras", "strange", "spurious", "code"]);
    if (what === "line" && this.isOpen) {
      this.disconnect();
      this.reconnect();
    } else if (what === "cameras") this.take({ type: "cameras", count: this.pick([1, 2, 3]) });
    else if (what === "seen") this.take({ type: "seen", alive: this.chance() < 0.5 });
    else if (what === "strange") this.say({ type: this.pick(["constructor", "news", "welcomes"]) });
    else if (what === "spurious") this.take({ type: this.pick(["late", "picture", "tap", "opened", "painted"]), nonce: "cd".repeat(16) });
    else if (what === "code" && this.isOpen && this.chance() < 0.3) this.close(this.pick([...CLOSES, 1000]));
    else if (["stopped", "turned", "hidden"].includes(what)) this.take({ type: what });
  }

  run() {
    this.machine.begin(this.now);
    const fate = this.calm ? 1 : this.chance();
    if (fate < 0.02) this.take({ type: "no_token" });
    else if (fate < 0.06) this.take({ type: "lacking", probe: this.pick(["insecure", "in_app", "old", "no_socket"]) });
    else if (fate > 0.1) this.take({ type: "connect", no_camera: !this.calm && this.chance() < 0.15 });
    for (let ticks = 0; ticks < (this.calm ? 500 : 30 + this.chance() * 250); ticks += 1) {
      if (this.machine.state === "left" || !this.tick()) break;
    }
    if (this.calm) this.rule(this.screen === "passed", `who does what is asked does not pass: ${this.screen}`);
    this.settle();
  }

  /** Everything falls silent: by time alone the page comes to a screen with a next step. */
  settle() {
    this.dead = true;
    if (this.isOpen) this.line += 1; // nothing comes over it any more, and nobody says so
    for (let late = 0; late < 12; ) {
      const { deadline } = this.machine;
      const next = Math.min(this.queue[0]?.[0] ?? Infinity, deadline);
      if (deadline === Infinity) {
        seen.settled.add(this.machine.state);
        return;
      }
      this.now = Math.max(this.now, next);
      if (deadline <= next) {
        late += 1;
        this.take({ type: "late" });
      } else this.queue.shift()[1]();
    }
    this.rule(false, "it never comes to rest");
  }
}

const shows = new Map(); // one of every screen with the same ways on
const seen = { states: new Set(), screens: new Set(), ways: new Set(), settled: new Set(), messages: new Set(), pressed: 0 };
const passing = given.conversations.filter((told) => told.end === "completed");
const broken = [];
for (let seed = 0; seed < given.worlds && broken.length < 5; seed += 1) {
  for (const calm of [false, seed % 10 === 0].slice(0, seed % 10 === 0 ? 2 : 1)) {
    try {
      new World(seed, calm).run();
    } catch (error) {
      broken.push(`world ${seed}${calm ? " calm" : ""}: ${error instanceof Broken ? error.message : error.stack}`);
    }
  }
}
const sets = Object.fromEntries(Object.entries(seen).map(([name, set]) => [name, set instanceof Set ? [...set].sort() : set]));
console.log(JSON.stringify({ broken, ...sets, shows: [...shows.values()] }));
