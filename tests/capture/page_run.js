/** Plays events to the page's machine, a line of `{around, events: [[ms, event], ...]}` each, and prints what it wanted. */

import { createInterface } from "node:readline";
import { Machine } from "./machine.js";

for await (const line of createInterface({ input: process.stdin })) {
  const { around, events } = JSON.parse(line);
  const machine = new Machine(around);
  machine.begin(0);
  let now = 0;
  console.log(JSON.stringify(events.map(([ms, event]) => {
    now += ms;
    const effects = machine.take(event, now);
    return { state: machine.state, effects, nonce: machine.nonce ?? null };
  })));
}
