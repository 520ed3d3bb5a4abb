/** All drawings: the seal, the head that shows what to do, icons, the ring, the QR code. Screen readers skip them. */

import { s } from "./dom.js";

/** @returns {SVGElement} renzheng's mark: 人 as two strokes on a seal */
export function seal(name = "seal") {
  return s("svg", { class: name, viewBox: "0 0 48 48", "aria-hidden": "true" },
    s("path", { class: "seal-ground", d: "M9 3.5C18 2 31 2.4 39 3.4c4 .5 5.7 2 6 6 .7 9 .6 20-.1 29.2-.3 4.1-2.2 5.8-6.2 6.2-9.6.8-19.4.9-29.2-.1-3.8-.4-5.7-2.1-6-6.1-.7-9.8-.7-19.4 0-29C3.8 5.6 5.3 4.2 9 3.5Z" }),
    s("path", { class: "seal-stroke", d: "M24.5 10c.4 11.5-4.5 21.5-13.5 27.5" }),
    s("path", { class: "seal-stroke", d: "M24.3 20c2.6 8 6.7 13.6 13.2 17.5" }),
  );
}

/**
 * A stylised head that does what the person is asked to do, again and again; with reduced motion it holds the pose.
 * It moves like a mirror: the person's own left is on the left.
 * @param {string} action of the protocol, or `idle`
 */
export function head(action) {
  const arrow = {
    turn_left: "M34 30C20 35 12 47 12 62m-7-9 7 10 9-8",
    turn_right: "M126 30c14 5 22 17 22 32m7-9-7 10-9-8",
    nod: "M142 44v44m-9-9 9 10 9-10",
    tilt_left: "M72 2C43 1 20 11 4 33m-2-14 2 14 13-5",
    tilt_right: "M88 2c29-1 52 9 68 31m2-14-2 14-13-5",
  }[action];
  return s("svg", { class: `head head-${action}`, viewBox: "0 0 160 160", "aria-hidden": "true" },
    s("path", { class: "head-body", d: "M26 160c2-22 17-32 54-32s52 10 54 32Z" }),
    s("g", { class: "head-all" },
      s("path", { class: "head-neck", d: "M66 104h28v22c0 8-28 8-28 0Z" }),
      s("g", { class: "head-ears" },
        s("ellipse", { cx: 45, cy: 74, rx: 6, ry: 10 }), s("ellipse", { cx: 115, cy: 74, rx: 6, ry: 10 })),
      s("path", { class: "head-skin", d: "M46 62c0-26 14-40 34-40s34 14 34 40c0 12-1 22-5 32-6 15-18 24-29 24s-23-9-29-24c-4-10-5-20-5-32Z" }),
      s("g", { class: "head-face" },
        s("path", { class: "head-line", d: "M59 61q7-4 13 0M88 61q6-4 13 0" }),
        s("g", { class: "head-eyes" },
          s("ellipse", { cx: 65.5, cy: 71, rx: 4, ry: 5 }), s("ellipse", { cx: 94.5, cy: 71, rx: 4, ry: 5 })),
        s("path", { class: "head-lids head-line", d: "M59 71q6.5 5 13 0M88 71q6.5 5 13 0" }),
        s("path", { class: "head-line head-nose", d: "M80 73c-1 7-4 11-3 13 .5 1 3 1.2 5 1" }),
        s("path", { class: "head-line head-mouth", d: "M70 99q10 5 20 0" }),
        s("ellipse", { class: "head-open", cx: 80, cy: 100, rx: 9, ry: 9 })),
      s("path", { class: "head-hair", d: "M43 66c-4-32 12-50 38-50s41 17 36 50c-3-2-4-5-5-10-3-10-9-15-17-17-16 6-36 4-43 3-3 5-4 10-5 15-1 4-2 7-4 9Z" })),
    arrow && s("path", { class: "head-arrow", d: arrow }),
  );
}

/** @type {Record<string, string>} */
const ICONS = {
  camera: "M4 8.5A2.5 2.5 0 0 1 6.5 6h1.7l1.3-2h5l1.3 2h1.7A2.5 2.5 0 0 1 20 8.5v8a2.5 2.5 0 0 1-2.5 2.5h-11A2.5 2.5 0 0 1 4 16.5ZM12 15.8a3.6 3.6 0 1 0 0-7.2 3.6 3.6 0 0 0 0 7.2",
  cameraOff: "M4 8.5A2.5 2.5 0 0 1 6.5 6h1.7l1.3-2h5l1.3 2h1.7A2.5 2.5 0 0 1 20 8.5v8m-2.5 2.5h-11A2.5 2.5 0 0 1 4 16.5v-8M3 3l18 18M8.8 10.6a3.6 3.6 0 0 0 5 5",
  compare: "M9 10.5a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6ZM4 19c.3-3.6 2-5.4 5-5.4s4.7 1.8 5 5.4M14.5 8.5l2 2 4-4.5M17 14.5h4M17 18h4",
  clock: "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17ZM12 7.5V12l3 2",
  phone: "M8.5 2.5h7A1.5 1.5 0 0 1 17 4v16a1.5 1.5 0 0 1-1.5 1.5h-7A1.5 1.5 0 0 1 7 20V4a1.5 1.5 0 0 1 1.5-1.5ZM10.8 18.5h2.4",
  devices: "M3 5.5h12v8H3ZM1.5 17H12M16.5 8.5h4a1 1 0 0 1 1 1V19a1 1 0 0 1-1 1h-4a1 1 0 0 1-1-1V9.5a1 1 0 0 1 1-1ZM18 17.5h1",
  lock: "M6.5 10.5h11A1.5 1.5 0 0 1 19 12v7a1.5 1.5 0 0 1-1.5 1.5h-11A1.5 1.5 0 0 1 5 19v-7a1.5 1.5 0 0 1 1.5-1.5ZM8 10.5V8a4 4 0 0 1 8 0v2.5M12 14.5v2",
  link: "M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.7-5.7L12 7M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.7 5.7L12 17",
  network: "M2.5 9a14 14 0 0 1 19 0M5.8 12.5a9 9 0 0 1 12.4 0M9 16a4.5 4.5 0 0 1 6 0M12 19.5h.01",
  browser: "M4.5 4.5h15A1.5 1.5 0 0 1 21 6v12a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 18V6a1.5 1.5 0 0 1 1.5-1.5ZM3 9h18M6 6.8h.01M8.5 6.8h.01",
  again: "M19.5 12a7.5 7.5 0 1 1-2.3-5.4L19.5 9M19.5 4.5V9H15",
  leave: "M13.5 4.5h-7A1.5 1.5 0 0 0 5 6v12a1.5 1.5 0 0 0 1.5 1.5h7M10 12h10M16.5 8l4 4-4 4",
  check: "M4.5 12.5 10 18 20 6.5",
  minus: "M6 12h12",
  voice: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5ZM15.5 9a4 4 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11",
  voiceOff: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5ZM16 9.5l5 5M21 9.5l-5 5",
  hint: "M12 7v6M12 16.8h.01M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18",
  colours: "M12 15.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7M12 2.5v2.5M12 19v2.5M2.5 12H5M19 12h2.5M5.3 5.3l1.8 1.8M16.9 16.9l1.8 1.8M18.7 5.3l-1.8 1.8M7.1 16.9l-1.8 1.8",
  tip: "M9.5 18.5h5M10.5 21h3M12 3a6 6 0 0 0-3.6 10.8c.7.6 1.1 1.2 1.1 2.2h5c0-1 .4-1.6 1.1-2.2A6 6 0 0 0 12 3Z",
};

/** @param {keyof typeof ICONS} name */
export const icon = (name) =>
  s("svg", { class: `icon icon-${name}`, viewBox: "0 0 24 24", "aria-hidden": "true" }, s("path", { d: ICONS[name], pathLength: 1 }));

// An ellipse that begins at the top and runs clockwise, so that a dash pattern reads as progress.
const OVAL = "M160 12A148 188 0 0 1 160 388A148 188 0 0 1 160 12Z";

/** The ring around the oval: a track, one arc per step, and a light that circles while the page waits. */
export function ring() {
  const arcs = s("g", { class: "ring-arcs" });
  const element = s("svg", { class: "ring", viewBox: "0 0 320 400", "aria-hidden": "true" },
    s("path", { class: "ring-track", d: OVAL }), arcs, s("path", { class: "ring-wait", d: OVAL, pathLength: 100 }));
  return {
    element,
    /** @param {number} done steps done @param {number} of steps in all; 0 leaves the track bare */
    show(done, of) {
      if (arcs.childElementCount !== of) {
        const gap = of > 1 ? 3.4 : 0;
        arcs.replaceChildren(...Array.from({ length: of }, (_, index) =>
          s("path", { d: OVAL, pathLength: 100, style: { "--from": `${-(index * 100) / of - gap / 2}`, "--long": `${100 / of - gap}` } })));
      }
      for (const [index, arc] of Array.from(arcs.children).entries()) {
        arc.setAttribute("class", index < done ? "arc arc-done" : index === done ? "arc arc-now" : "arc");
      }
    },
  };
}

/** @param {string[]} modules rows of 0 and 1 @param {string} label */
export function qr(modules, label) {
  const size = modules.length;
  const dark = modules.flatMap((row, y) => Array.from(row.matchAll(/1+/g), (run) => `M${run.index} ${y}h${run[0].length}v1h-${run[0].length}z`));
  return s("svg", { class: "qr", viewBox: `-4 -4 ${size + 8} ${size + 8}`, role: "img", "aria-label": label, "shape-rendering": "crispEdges" },
    s("path", { d: dark.join("") }));
}
