/** Spoken instructions with the browser's own speech. They are off until the person turns them on. */

const KEY = "renzheng.voice";

export class Voice {
  constructor() {
    this.able = "speechSynthesis" in window && "SpeechSynthesisUtterance" in window;
    try {
      this.on = this.able && localStorage.getItem(KEY) === "on";
    } catch {
      this.on = false;
    }
  }

  /** @param {boolean} on */
  turn(on) {
    this.on = this.able && on;
    if (!this.on) window.speechSynthesis?.cancel();
    try {
      localStorage.setItem(KEY, this.on ? "on" : "off");
    } catch {
      // Speech is then off again on the next page.
    }
  }

  /** Says a sentence, and stops the one being said. @param {string} text @param {string} language */
  say(text, language) {
    if (!this.on || !text) return;
    const spoken = new SpeechSynthesisUtterance(text);
    spoken.lang = language;
    window.speechSynthesis.cancel();
    window.speechSynthesis.speak(spoken);
  }
}
