/** The reply: status, time, content, what an error means, and what can be done next. */

import { h, one } from "/static/dom.js";
import { codeBox, command, copyButton, cutAfter, paint, readable } from "./pieces.js";
import { rawRequest } from "./steps.js";

const SHOWN = 160; // characters of one value; a video has millions
const SENT = 600; // characters of a body
const CLOCK_SECONDS = 5;

/**
 * @typedef {object} Exchange one request and what came of it
 * @property {string} action
 * @property {{headers: [string, string][]}} signed
 * @property {string} host @property {string} sentBody
 * @property {number} milliseconds
 * @property {number} [status] absent where there was no connection
 * @property {string} [text] the reply's body
 * @property {any} [json] the reply, undefined where it is none
 * @property {number} [clock] seconds that this machine's clock is ahead of the server's, where that is known
 */

/**
 * @param {object} given
 * @param {(key: string, values?: object) => string} given.t
 * @param {string} given.language
 * @param {Exchange | undefined} given.exchange
 * @param {Record<string, {message: object, advice?: object}>} given.errors by code
 * @param {boolean} given.hasResult whether the API has an action that fetches a token's result
 * @param {{fetchResult: (token: string) => void, showSteps: () => void}} given.acts
 */
export function showReply({ t, language, exchange, errors, hasResult, acts }) {
  if (!exchange) {
    return h("div", { class: "empty" }, h("h3", {}, t("resultEmpty")), h("p", {}, t("resultEmptyText")));
  }
  const response = exchange.json?.Response;
  const error = response?.Error;
  return h("div", {},
    facts(t, exchange, response, error),
    exchange.status === undefined ? notice(t("noConnection"), t("noConnectionText"))
      : exchange.json === undefined ? notice(t("notAnswer"), (exchange.text ?? "").slice(0, SHOWN))
        : error ? explainError({ t, language, error, known: errors[error.Code], exchange, acts })
          : nextSteps({ t, response, hasResult, acts }),
    exchange.json !== undefined && replyBox(t, exchange),
    sentBox(t, exchange));
}

function facts(t, exchange, response, error) {
  const good = exchange.status === 200 && response && !error;
  const fact = (key, value) => value && h("div", {}, h("dt", {}, t(key)), h("dd", { translate: "no" }, value));
  return h("div", { class: "facts", "data-good": String(Boolean(good)) },
    h("span", { class: "badge" }, t(good ? "resultOk" : "resultError")),
    h("dl", {},
      fact("action", exchange.action),
      fact("status", exchange.status && String(exchange.status)),
      fact("time", t("milliseconds", { n: Math.round(exchange.milliseconds) })),
      fact("size", exchange.text !== undefined && readable(exchange.text.length)),
      fact("requestId", response?.RequestId)));
}

const notice = (title, text) => h("div", { class: "notice", role: "alert" }, h("h3", {}, title), h("p", {}, text));

function explainError({ t, language, error, known, exchange, acts }) {
  const text = known?.message[language];
  // The names of a template are filled in the message itself, which then says more.
  const meaning = text && text !== error.Message && !text.includes("{") ? text : undefined;
  const isSignature = error.Code.startsWith("AuthFailure.");
  const off = Math.round(Math.abs(exchange.clock ?? 0));
  return h("div", { class: "notice", role: "alert", "data-code": error.Code },
    h("h3", { translate: "no" }, error.Code),
    h("p", { class: "message" }, error.Message),
    meaning && h("p", { class: "meaning" }, h("b", {}, t("meaning")), ` ${meaning}`),
    known?.advice && h("p", { class: "advice" }, h("b", {}, t("advice")), ` ${known.advice[language]}`),
    error.Code === "AuthFailure.SignatureExpire" && off >= CLOCK_SECONDS && h("p", {}, t("clockOff", { n: off })),
    isSignature && h("p", { class: "explain" }, t("explain"), " ", command("renzheng explain --recent")),
    isSignature && h("button", { type: "button", class: "button", onclick: acts.showSteps }, t("showSteps")));
}

function nextSteps({ t, response, hasResult, acts }) {
  const token = response?.FaceIdToken;
  if (typeof token !== "string") return null;
  const address = `/verify#${encodeURIComponent(token)}`;
  const page = { class: "button strong", href: address, target: "_blank", rel: "noopener" };
  const fetchResult = { type: "button", class: "button", id: "fetch-result", onclick: () => acts.fetchResult(token) };
  return h("div", { class: "next" },
    h("p", {}, t("tokenMinutes")),
    h("div", { class: "next-buttons" },
      h("a", page, t("openVerification")), hasResult && h("button", fetchResult, t("fetchResult"))));
}

function replyBox(t, exchange) {
  const box = codeBox(t("reply"), { class: "reply" });
  const cut = (_, value) => (typeof value === "string" ? cutAfter(t, value, SHOWN) : value);
  paint(box, JSON.stringify(exchange.json, cut, 2), "json");
  return h("section", {},
    h("div", { class: "box-head" }, h("h3", {}, t("reply")),
      copyButton(t, () => JSON.stringify(exchange.json, null, 2), t("reply"))),
    box);
}

function sentBox(t, exchange) {
  const box = codeBox(t("sent"), { class: "wrapped" });
  const { host, signed, sentBody } = exchange;
  one(box, "code").textContent = rawRequest(host, signed, cutAfter(t, sentBody, SENT));
  return h("details", { class: "sent" }, h("summary", {}, t("sent")), box);
}
