/** Prints what the page's machine is written down as, for `test_page_machine.py`. */

import { readdirSync } from "node:fs";
import { Machine } from "./machine.js";
import { CLOSES } from "./protocol.js";
import { SCREENS } from "./screens.js";
import { States } from "./states.js";
import { TABLE } from "./table.js";

// Those that need a browser say so; none is broken by what is left out where it is served.
for (const file of readdirSync(".").filter((name) => name.endsWith(".js") && !name.startsWith("page_"))) {
  await import(`./${file}`).catch((error) => {
    if (error instanceof SyntaxError) throw new Error(`${file}: ${error.message}`);
  });
}
const names = (one) => Object.getOwnPropertyNames(one.prototype);
console.log(JSON.stringify({
  table: TABLE, closes: CLOSES, screens: Object.keys(SCREENS), states: names(States), events: names(Machine),
}));
