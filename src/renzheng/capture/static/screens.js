/** What every screen but the camera's says, and the way on that it offers. */

import { h } from "./dom.js";
import { head, icon, qr, seal } from "./glyphs.js";
import { isPhone } from "./probes.js";

const p = (text, kind) => h("p", { class: kind }, text);
const steps = (...texts) => h("ol", { class: "steps" }, texts.map((text) => h("li", {}, h("span", {}, text))));

/** @param {import("./view.js").View} view @param {number} seconds */
function span(view, seconds) {
  const hours = Math.round(seconds / 3600);
  return hours >= 24 ? view.t("days", { n: Math.round((hours / 24) * 10) / 10 }) : view.t("hours", { n: Math.max(1, hours) });
}

/** Where the one who asks says what it does with people's data, and whom to ask; nothing where it said neither. */
function asker(view, { privacy_url: privacy, contact }) {
  const link = /^https?:/.test(privacy ?? "") && h("a", { href: privacy, target: "_blank", rel: "noopener noreferrer" }, view.t("privacy"));
  if (!link && !contact) return null;
  return h("p", { class: "small asker" }, link, link && contact ? " · " : null, contact ? view.t("contact", { contact }) : null);
}

/** Who asks, what is taken, how long it is kept: agreed to before the camera is touched. */
export function ready(view, welcome, { agree, decline, usePhone }) {
  const fact = (name, text) => h("li", {}, icon(name), h("span", {}, text));
  const { result_seconds: result = 0, evidence_days: days = 0 } = welcome.retention ?? {};
  const kept = { evidence: span(view, days * 86400), result: span(view, result) };
  const start = { label: view.t("agree"), act: agree };
  const phone = { label: view.t("usePhone"), act: usePhone, kind: "quiet" };
  const leave = { label: view.t("decline"), act: decline, kind: "quiet", leaves: true };
  return {
    name: "ready",
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
      p(view.t("readyTime", { n: Math.max(1, Math.floor(welcome.expires_in / 60)) }), "small"),
    ],
    // Whom flashing light may harm must not have to look for it: it stands where the button is.
    caution: welcome.light && [icon("colours"), h("span", {}, view.t("readyLight"))],
    actions: [start, usePhone && phone, leave].filter(Boolean),
  };
}

export const opening = (view, actions) => ({
  name: "opening", art: seal("seal large"), title: view.t("opening"), actions: actions?.(view),
});

/** Others are before. @param {{position: number, seconds: number}} turn 1 is the next one */
export function waiting(view, { position, seconds }, { leave }) {
  const minutes = Math.ceil(seconds / 60);
  const ahead = position > 1 ? view.t("waitAhead", { n: position - 1 }) : view.t("waitNext");
  const long = seconds > 90 ? view.t("waitMinutes", { n: minutes }) : view.t("waitSeconds", { n: Math.max(5, 5 * Math.ceil(seconds / 5)) });
  return {
    name: "waiting", art: icon("clock"), title: view.t("waitTitle"),
    words: [p(view.t("waitText"), "lead"), h("p", { class: "badge" }, ahead), p(long, "small")],
    actions: [{ label: view.t("decline"), act: leave, kind: "quiet" }],
  };
}

/** The camera stopped by itself. */
export const lost = (view) => ({
  name: "camera_stopped", tone: "warn", art: icon("camera"), title: view.t("stoppedTitle"), words: [p(view.t("stoppedText"), "lead")],
});

export const asking = (view) => ({
  name: "asking", art: icon("camera"), title: view.t("askTitle"), words: [p(view.t("askText"), "lead")],
});

export const tap = (view, act) => ({
  name: "tap", art: icon("camera"), title: view.t("tapTitle"), words: [p(view.t("tapText"), "lead")],
  actions: [{ label: view.t("tap"), act }],
});

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

/** The camera could not be used. @param {string} reason of CameraError */
export function camera(view, reason, { retry, another, usePhone, openAlone, copy, copied, leave }) {
  const [art, title, text] = CAMERA[reason];
  const where = isPhone() ? "refusedPhone" : "refusedDesktop";
  const again = { label: view.t("retry"), act: retry };
  const phone = usePhone && { label: view.t("usePhone"), act: usePhone, kind: reason === "none" ? "primary" : "quiet" };
  const first = reason === "policy" ? [openAlone && { label: view.t("openAlone"), act: openAlone }]
    : reason === "none" && phone ? [phone, { ...again, kind: "quiet" }] : [again, phone];
  // A browser that says nothing, or hides the picture, may have a better one beside it.
  const elsewhere = (reason === "silent" || reason === "blank") && { label: view.t(copied ? "copied" : "copyLink"), act: copy, kind: "quiet" };
  const next = another && { label: view.t("anotherCamera"), act: another, kind: "quiet" };
  return {
    name: `camera_${reason}`, tone: "warn", art: icon(art), title: view.t(title),
    words: [
      p(view.t(reason === "none" && !phone ? "noCameraAlone" : text), "lead"),
      reason === "refused" && steps(view.t(`${where}1`), view.t("refused2"), view.t(`${where}3`)),
    ],
    actions: [...first, next, elsewhere, leave && { label: view.t("back"), act: leave, kind: "quiet", leaves: true }].filter(Boolean),
  };
}

const PROBES = {
  insecure: ["lock", "insecureTitle", "insecureText"],
  in_app: ["browser", "inAppTitle", "inAppText"],
  old: ["browser", "oldTitle", "oldText"],
  no_socket: ["network", "noSocketTitle", "noSocketText"],
};

/** Something that the page needs is missing. @param {keyof typeof PROBES} probe */
export function missing(view, probe, { copy, copied, leave }) {
  const [art, title, text] = PROBES[probe];
  return {
    name: `missing_${probe}`, tone: "warn", art: icon(art), title: view.t(title), words: [p(view.t(text), "lead")],
    actions: [
      { label: view.t(copied ? "copied" : "copyLink"), act: copy },
      leave && { label: view.t("back"), act: leave, kind: "quiet", leaves: true },
    ].filter(Boolean),
  };
}

const ADVICE = new Set(["action", "face", "face_cut", "alone", "closer", "light", "photo", "later"]);
// What the person was told while it happened says more than that an action was missed.
const OF_HINT = { more_light: "dark", less_light: "bright", face_cut: "face_cut", several_faces: "alone", no_face: "face", move_closer: "closer" };

/** What to do about what really happened; where there is nothing to be done, nothing. */
function adviceOf(advice, hint) {
  const named = advice === "action" ? OF_HINT[hint] ?? advice : advice;
  return ADVICE.has(named) || named === "dark" || named === "bright" ? `advice_${named}` : undefined;
}

/** The end: passed or failed, and of a failure only what the person can do about it. */
export function outcome(view, { passed, retry, advice, hint }, { leave }) {
  if (passed) {
    return {
      name: "passed", tone: "good", art: [icon("check"), seal("seal stamp")], title: view.t("passed"),
      words: [p(view.t(leave ? "passedText" : "passedAlone"), "lead")],
      actions: leave ? [{ label: view.t("done"), act: leave }] : [],
    };
  }
  const tomorrow = retry === "tomorrow";
  const help = tomorrow ? undefined : adviceOf(advice, hint);
  return {
    name: tomorrow ? "failed_tomorrow" : "failed", tone: "warn", art: icon("minus"),
    title: view.t(tomorrow ? "failedTomorrow" : "failed"),
    words: [help && p(view.t(help), "lead advice"), p(view.t(tomorrow ? "failedTomorrowText" : advice === "photo" ? "failedPhotoText" : "failedText"), help ? "small" : "lead")],
    actions: leave ? [{ label: view.t("back"), act: leave }] : [],
  };
}

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

export function attemptOver(view, { reason, counted, hint, advice, attempts_left: left }, { again, ease, leave }) {
  const [title, text] = ATTEMPT[reason] ?? ATTEMPT.timeout;
  const help = advice === "light" ? undefined : adviceOf(advice, hint); // that one says what the text says
  return {
    name: `over_${reason}`, art: icon("again"), title: view.t(title),
    words: [
      p(view.t(help ?? text), "lead"), hint && hint !== "look_straight" && p(view.t(hint), "small"),
      h("p", { class: "badge" }, counted === false && reason !== "not_ready" ? `${view.t("notCounted")} · ` : null, view.t("attemptsLeft", { n: left })),
    ],
    actions: [{ label: view.t("again"), act: again }, ease && { label: view.t("ease"), act: ease, kind: "quiet" }, { label: view.t("decline"), act: leave, kind: "quiet", leaves: true }].filter(Boolean),
  };
}

// Close code: what is drawn, and the way on.
const CLOSED = {
  4401: ["link"], 4403: ["lock"], 4406: ["again", "reload"], 4409: ["devices", "retry"], 4410: ["clock"],
  4411: ["check"], 4412: ["phone"], 4414: ["devices"], 4503: ["clock", "retry"], 4504: ["clock"],
};

/** The socket was closed for good. @param {number} code of the protocol */
export function closed(view, code, { retry, reload, leave }) {
  const [art, way] = CLOSED[code] ?? ["hint", "reload"];
  const named = CLOSED[code] ? `c${code}` : "fault";
  const on = { retry: { label: view.t("retry"), act: retry }, reload: { label: view.t("reload"), act: reload } }[way];
  return {
    name: `closed_${code}`, tone: code === 4412 || code === 4411 ? "calm" : "warn", art: icon(art),
    title: view.t(`${named}Title`), words: [p(view.t(`${named}Text`, { code }), "lead")],
    actions: [on, leave && { label: view.t("back"), act: leave, kind: on ? "quiet" : "primary" }].filter(Boolean),
  };
}

const plain = (name, art, key, tone = "warn") => (view, actions) => ({
  name, tone, art: icon(art), title: view.t(`${key}Title`), words: [p(view.t(`${key}Text`), "lead")], actions: actions(view),
});

/** Plain requests get through and WebSockets do not. */
export function blocked(view, { retry, copy, copied, leave }) {
  return {
    name: "blocked", tone: "warn", art: icon("network"), title: view.t("blockedTitle"), words: [p(view.t("blockedText"), "lead")],
    actions: [
      { label: view.t("retry"), act: retry }, { label: view.t(copied ? "copied" : "copyLink"), act: copy, kind: "quiet" },
      leave && { label: view.t("back"), act: leave, kind: "quiet", leaves: true },
    ].filter(Boolean),
  };
}

export const connecting = plain("connecting", "network", "connecting");
export const slowJudging = plain("judging_slow", "clock", "slowJudging", "calm");
export const offline = plain("offline", "network", "offline");
export const cancelled = plain("cancelled", "leave", "cancelled", "calm");
export const declinedLight = plain("declined_light", "leave", "declinedLight", "calm");
export const noToken = plain("no_token", "link", "noToken");

/** The code by which a phone takes over. @param {{url: string, modules?: string[], left: number}} code */
export function handover(view, { url, modules, left }, { renew, back }) {
  const over = left <= 0;
  const drawn = modules ? qr(modules, view.t("handoverAlt")) : h("a", { class: "link", href: url }, url);
  return {
    name: "handover", art: h("div", { class: over ? "card over" : "card" }, drawn), title: view.t("handoverTitle"),
    words: [
      p(view.t("handoverText"), "lead"),
      h("p", { class: "badge" }, over ? view.t("handoverOver") : view.t("handoverLeft", { n: left })),
    ],
    actions: [over && { label: view.t("handoverNew"), act: renew }, { label: view.t("back"), act: back, kind: "quiet" }].filter(Boolean),
  };
}
