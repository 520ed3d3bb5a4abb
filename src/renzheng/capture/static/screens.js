/** The texts and buttons of every screen but the camera's. */

import { h } from "./dom.js";
import { head, icon, qr, seal } from "./glyphs.js";
import { isPhone } from "./probes.js";

/**
 * @typedef {import("./view.js").View} View
 * @typedef {import("./view.js").Screen} Screen
 * @typedef {Omit<Screen, "name" | "actions">} Words
 * @typedef {import("./effects.js").Way} Way
 */

/** @param {string} text @param {string} [kind] */
const p = (text, kind) => h("p", { class: kind }, text);
/** @param {string[]} texts */
const steps = (...texts) => h("ol", { class: "steps" }, texts.map((text) => h("li", {}, h("span", {}, text))));

/** What a button says. @type {Record<Way, string>} */
const LABELS = {
  agree: "agree", cancel: "decline", decline_light: "declineLight", hand: "usePhone", renew: "handoverNew", back: "back", connect: "retry",
  reload: "reload", copy: "copyLink", leave: "back", open: "retry", another: "anotherCamera", alone: "openAlone", tapped: "tap",
  again: "again", ease: "ease",
};
/** And on these screens. @type {Record<string, Partial<Record<Way, string>>>} */
const OTHER_LABELS = { cancelled: { connect: "resume" }, declined_light: { connect: "resume" }, passed: { leave: "done" } };
const QUIET = new Set(["cancel", "back"]); // wherever they stand
const LEAVES = new Set(["cancel", "leave"]);

/**
 * A screen of `machine.js`.
 * @param {View} view @param {string} name @param {Way[]} ways the first is the one that most people need
 * @param {any} data @param {(way: Way) => void} act @returns {Screen}
 */
export function draw(view, name, ways, data, act) {
  const [family, rest] = Object.hasOwn(SCREENS, name) ? [name, ""] : [name.split("_")[0], name.replace(/^[^_]*_/, "")];
  return {
    name, ...SCREENS[family](view, data, rest),
    actions: ways.map((way, index) => ({
      way, label: view.t(OTHER_LABELS[name]?.[way] ?? LABELS[way]), act: () => act(way), leaves: LEAVES.has(way),
      kind: index > 0 || QUIET.has(way) ? "quiet" : "primary",
    })),
  };
}

/** @param {View} view @param {number} seconds */
function span(view, seconds) {
  const hours = Math.round(seconds / 3600);
  return hours >= 24 ? view.t("days", { n: Math.round((hours / 24) * 10) / 10 }) : view.t("hours", { n: Math.max(1, hours) });
}

/**
 * The merchant's privacy notice and contact; nothing if it has given neither.
 * @param {View} view @param {import("./protocol.js").Welcome} welcome
 */
function asker(view, { privacy_url: privacy, contact }) {
  const link = /^https?:/.test(privacy ?? "") && h("a", { href: privacy, target: "_blank", rel: "noopener noreferrer" }, view.t("privacy"));
  if (!link && !contact) return null;
  return h("p", { class: "small asker" }, link, link && contact ? " · " : null, contact ? view.t("contact", { contact }) : null);
}

/**
 * Who asks, what is recorded and how long it is kept: the person agrees before the camera is opened.
 * @param {View} view @param {{welcome: import("./protocol.js").Welcome, until: number}} data @returns {Words}
 */
function ready(view, { welcome, until }) {
  /** @param {string} name @param {string} text */
  const fact = (name, text) => h("li", {}, icon(name), h("span", {}, text));
  const { result_seconds: result = 0, evidence_days: days = 0 } = welcome.retention ?? {};
  const kept = { evidence: span(view, days * 86400), result: span(view, result) };
  const minutes = Math.max(1, Math.floor((until - performance.now()) / 60_000));
  return {
    art: head("idle"),
    title: view.t("readyTitle"),
    words: [
      p(view.t("readyLead"), "lead"),
      h("ul", { class: "facts" },
        fact("camera", view.t("readyTaken")),
        fact("compare", view.t(welcome.compares === "LOCAL" ? "readyCompareLocal" : "readyCompare")),
        fact("clock", view.t(days > 0 ? "readyKeep" : "readyKeepNone", kept)),
        fact("tip", view.t("readyTip"))),
      asker(view, welcome),
      p(view.t("readyTime", { n: minutes }), "small"),
    ],
    // People whom flashing light may harm must see the warning at once, so it is beside the button.
    caution: welcome.light && [icon("colours"), h("span", {}, view.t("readyLight"))],
  };
}

/** Others are served first. @param {View} view @param {{turn: {position: number, seconds: number}}} data position 1 is the next one */
function waiting(view, { turn: { position, seconds } }) {
  const minutes = Math.ceil(seconds / 60);
  const ahead = position > 1 ? view.t("waitAhead", { n: position - 1 }) : view.t("waitNext");
  const long = seconds > 90 ? view.t("waitMinutes", { n: minutes }) : view.t("waitSeconds", { n: Math.max(5, 5 * Math.ceil(seconds / 5)) });
  return {
    art: icon("clock"), title: view.t("waitTitle"),
    words: [p(view.t("waitText"), "lead"), h("p", { class: "badge" }, ahead), p(long, "small")],
  };
}

/** @type {Record<string, [string, string, string]>} what is drawn, title, text */
const CAMERA = {
  refused: ["cameraOff", "refusedTitle", "refusedText"],
  policy: ["cameraOff", "policyTitle", "policyText"],
  busy: ["camera", "busyCameraTitle", "busyCameraText"],
  none: ["cameraOff", "noCameraTitle", "noCameraText"],
  silent: ["camera", "silentTitle", "silentText"],
  dark: ["cameraOff", "noPictureTitle", "noPictureText"],
  blank: ["browser", "blankTitle", "blankText"],
  lost: ["cameraOff", "noPictureTitle", "noPictureText"],
};

/** The camera could not be used. @param {View} view @param {{hands: boolean}} data @param {string} reason @returns {Words} */
function camera(view, { hands }, reason) {
  const [art, title, text] = CAMERA[reason];
  const where = isPhone() ? "refusedPhone" : "refusedDesktop";
  return {
    tone: "warn", art: icon(art), title: view.t(title),
    words: [
      p(view.t(reason === "none" && !hands ? "noCameraAlone" : text), "lead"),
      reason === "refused" && steps(view.t(`${where}1`), view.t("refused2"), view.t(`${where}3`)),
    ],
  };
}

/** Something that the page needs is missing. @type {Record<string, [string, string]>} */
const MISSING = { insecure: ["lock", "insecure"], in_app: ["browser", "inApp"], old: ["browser", "old"], no_socket: ["network", "noSocket"] };

const ADVICE = new Set(["action", "face", "face_cut", "alone", "closer", "light", "photo", "later"]);
// The hint that the person saw during the attempt says more than that an action was missed.
/** @type {Record<string, string>} */
const OF_HINT = { more_light: "dark", less_light: "bright", face_cut: "face_cut", several_faces: "alone", no_face: "face", move_closer: "closer" };

/**
 * What the person can do about the failure; nothing if there is nothing to do.
 * @param {string | undefined} advice @param {string | undefined} hint
 */
function adviceOf(advice, hint) {
  const named = (advice === "action" && hint && OF_HINT[hint]) || advice;
  return named && (ADVICE.has(named) || named === "dark" || named === "bright") ? `advice_${named}` : undefined;
}

/** @param {View} view @param {{attended: boolean}} data @returns {Words} */
function passed(view, { attended }) {
  return {
    tone: "good", art: [icon("check"), seal("seal stamp")], title: view.t("passed"),
    words: [p(view.t(attended ? "passedText" : "passedAlone"), "lead")],
  };
}

/**
 * A failure: only what the person can do about it.
 * @param {View} view @param {{advice?: string, hint?: string}} data @param {string} rest @returns {Words}
 */
function failed(view, { advice, hint }, rest) {
  const tomorrow = rest === "tomorrow";
  const help = tomorrow ? undefined : adviceOf(advice, hint);
  return {
    tone: "warn", art: icon("minus"), title: view.t(tomorrow ? "failedTomorrow" : "failed"),
    words: [help && p(view.t(help), "lead advice"), p(view.t(tomorrow ? "failedTomorrowText" : advice === "photo" ? "failedPhotoText" : "failedText"), help ? "small" : "lead")],
  };
}

/** @type {Record<string, [string, string]>} */
const ATTEMPT = {
  timeout: ["timeoutTitle", "timeoutText"],
  not_ready: ["notReadyTitle", "notReadyText"],
  turned: ["turnedTitle", "turnedText"],
  camera: ["stoppedTitle", "stoppedAgain"],
  eased: ["easedTitle", "easedText"],
  slow_line: ["slowLineTitle", "slowLineText"],
  lost_line: ["slowLineTitle", "lostLineText"],
  server: ["serverTitle", "serverText"],
  not_passed: ["notPassedTitle", "notPassedText"],
};

/**
 * An attempt is over, and another may follow.
 * @param {View} view @param {import("./protocol.js").AttemptOver & {hint?: string}} data @param {string} reason @returns {Words}
 */
function over(view, { counted, hint, advice, attempts_left: left }, reason) {
  const [title, text] = ATTEMPT[reason];
  const help = advice === "light" ? undefined : adviceOf(advice, hint); // that one says what the text says
  return {
    art: icon("again"), title: view.t(title),
    words: [
      p(view.t(help ?? text), "lead"), hint && hint !== "look_straight" && p(view.t(hint), "small"),
      h("p", { class: "badge" }, counted === false && reason !== "not_ready" ? `${view.t("notCounted")} · ` : null, view.t("attemptsLeft", { n: left })),
    ],
  };
}

/** What is drawn for a close code; all others are a fault. @type {Record<string, string>} */
const CLOSED = {
  4401: "link", 4403: "lock", 4406: "again", 4409: "devices", 4410: "clock", 4411: "check", 4412: "phone", 4414: "devices",
  4503: "clock", 4504: "clock",
};

/** The socket was closed for good. @param {View} view @param {unknown} _data @param {string} code @returns {Words} */
function closed(view, _data, code) {
  const named = CLOSED[code] ? `c${code}` : "fault";
  return {
    tone: code === "4412" || code === "4411" ? "calm" : "warn", art: icon(CLOSED[code] ?? "hint"),
    title: view.t(`${named}Title`), words: [p(view.t(`${named}Text`, { code }), "lead")],
  };
}

/**
 * The code with which a phone takes over.
 * @param {View} view @param {{link: string, code: string, modules?: string[], until: number}} data @returns {Words}
 */
function handover(view, { link, code, modules, until }) {
  const url = `${link}.${code}`;
  const left = () => view.t("handoverLeft", { n: Math.max(0, Math.ceil((until - performance.now()) / 1000)) });
  const badge = h("p", { class: "badge" }, left());
  return {
    art: h("div", { class: "card" }, modules ? qr(modules, view.t("handoverAlt")) : h("a", { class: "link", href: url }, url)),
    title: view.t("handoverTitle"), words: [p(view.t("handoverText"), "lead"), badge],
    tick: () => {
      badge.textContent = left();
    },
  };
}

/** @param {string} art @param {string} key of title and text @param {Screen["tone"]} [tone] @returns {(view: View) => Words} */
const plain = (art, key, tone = "warn") => (view) => ({
  tone, art: icon(art), title: view.t(`${key}Title`), words: [p(view.t(`${key}Text`), "lead")],
});

/** By name, or by what stands before the first `_`. @type {Record<string, (view: View, data: any, rest: string) => Words>} */
export const SCREENS = {
  opening: (view) => ({ art: seal("seal large"), title: view.t("opening") }),
  handing: (view) => ({ art: seal("seal large"), title: view.t("opening") }),
  ready, waiting, camera, passed, failed, over, closed, handover,
  missing: (view, _data, probe) => plain(...MISSING[probe])(view),
  asking: plain("camera", "ask", "calm"),
  tap: plain("camera", "tap", "calm"),
  camera_stopped: plain("camera", "stopped"),
  handover_over: (view) => ({
    art: icon("clock"), title: view.t("handoverTitle"), words: [p(view.t("handoverText"), "lead"), h("p", { class: "badge" }, view.t("handoverOver"))],
  }),
  connecting: plain("network", "connecting"),
  blocked: plain("network", "blocked"),
  judging_slow: plain("clock", "slowJudging", "calm"),
  offline: plain("network", "offline"),
  cancelled: plain("leave", "cancelled", "calm"),
  declined_light: plain("leave", "declinedLight", "calm"),
  no_token: plain("link", "noToken"),
};
