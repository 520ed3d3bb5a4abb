/** The form's call as a program, in one language at a time. */

import { h } from "/static/dom.js";
import { codeBox, command, copyButton, paint } from "./pieces.js";
import { SAMPLES } from "./samples.js";
import { variables } from "./sdk.js";
import { BODY_FILE, needsBodyFile } from "./shell.js";

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:|$)/;

export class CodePanel {
  /** @param {(key: string, values?: object) => string} t @param {{id: string}} chosen which sample; changed in place */
  constructor(t, chosen) {
    this.t = t;
    this.chosen = chosen;
    this.text = "";
    /** @type {import("./samples.js").Call | undefined} */
    this.call = undefined;
    this.box = codeBox(t("code"), { class: "sample" });
    this.notes = h("div", { class: "notes" });
    this.empty = h("p", { class: "empty" }, t("codeUnsigned"));
    this.file = h("span", { class: "file", translate: "no" });
    this.copy = copyButton(t, () => this.text, t("code"));
    this.program = h("div", {}, h("div", { class: "box-head" }, this.file, this.copy), this.box);
    this.element = h("div", { class: "panel" },
      h("fieldset", { class: "languages" }, h("legend", { class: "heard" }, t("codeLanguages")),
        SAMPLES.map(({ id, label }) => h("label", { class: "chip" },
          h("input", { type: "radio", name: "sample", value: id, checked: id === chosen.id, class: "heard",
            onchange: () => { chosen.id = id; if (this.call) this.show(this.call); } }),
          h("span", { translate: "no" }, label)))),
      this.notes, this.empty, this.program);
  }

  /** @param {import("./samples.js").Call} call */
  show(call) {
    this.call = call;
    const sample = SAMPLES.find(({ id }) => id === this.chosen.id) ?? SAMPLES[0];
    this.text = sample.write(call);
    this.empty.hidden = this.text !== "";
    this.program.hidden = this.text === "";
    this.element.dataset.sample = sample.id;
    this.file.textContent = sample.file;
    paint(this.box, this.text, "code");
    this.notes.replaceChildren(...this.notesOf(sample, call).map((parts) => h("p", {}, parts)));
  }

  notesOf(sample, call) {
    const { t } = this;
    const notes = [];
    if (sample.install) notes.push([h("b", {}, t("codeInstall")), " ", command(sample.install)]);
    if (sample.id === "curl") notes.push([t("codeSigned")]);
    else notes.push([h("b", {}, t("codeKeys")), ...variables(call).flatMap((name) => [" ", command(name)])]);
    if (sample.serviceOfHost && !LOOPBACK.test(call.host) && !call.host.startsWith(`${call.service}.`)) {
      notes.push([t("codeServiceOfHost")]);
    }
    if (sample.portless && /:\d+$/.test(call.host)) notes.push([t("codePortless", { host: call.host })]);
    if (this.text && needsBodyFile(sample.id, call)) {
      const keep = { type: "button", class: "quiet", id: "save-body", onclick: () => save(call.body) };
      notes.push([t("codeBody"), " ", h("button", keep, t("saveBody"))]);
    }
    return notes;
  }
}

function save(text) {
  const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  h("a", { href: address, download: BODY_FILE }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
