/** Draws the page's screens one after another, and looks at each: run in the page by `test_screens.py`. */

window.prepare = async (welcome) => {
  const [{ View }, { draw }, { Voice }, { LANGUAGES }] = await Promise.all(
    ["view", "screens", "voice", "texts"].map((name) => import(`/static/${name}.js`)));
  const make = (language) => {
    const view = new View(document.getElementById("page"), language, () => {}, new Voice());
    view.account = LANGUAGES[language].someone;
    return view;
  };
  // Texts that something covers or that leave the page, buttons that are cut or cannot be reached, what scrolls sideways.
  const box = (element) => element.getBoundingClientRect();
  const seen = (element) => box(element).width > 0 && getComputedStyle(element).visibility !== "hidden";
  const of = (what) => [...document.querySelectorAll(what)].filter(seen);
  const name = (element) => `${element.tagName}.${element.className} ${element.textContent.slice(0, 30)}`;
  // A short button's text on two lines, and marks that no line begins with.
  const tops = (node, at) => {
    const range = document.createRange();
    range.setStart(node, at);
    range.setEnd(node, at + 1);
    return range.getBoundingClientRect().top;
  };
  const broken = () => {
    const found = [];
    for (const element of of("h1, .lead, .small, .note, .facts li span, .steps li span, .caution span, .actions button")) {
      const short = element.tagName === "BUTTON" && element.textContent.length <= 6;
      for (const node of element.childNodes) {
        for (let at = 1; at < (node.data?.length ?? 0); at += 1) {
          // Whether it matters is asked first: where each character stands takes the browser most of this test's time.
          const matters = short ? node.data[at].trim() : "。，、；：！？）”".includes(node.data[at]);
          if (matters && Math.abs(tops(node, at) - tops(node, at - 1)) > 8) found.push(`broken before ${node.data[at]}: ${name(element)}`);
        }
      }
    }
    return found;
  };
  const look = () => {
    const found = broken();
    if (document.documentElement.scrollWidth > innerWidth) found.push("wider than the window");
    for (const text of of("h1, .lead, .small, .facts li, .badge, .note, .hint, .count, .caution")) {
      if (text.scrollWidth > text.clientWidth + 1 && text.clientWidth) found.push(`cut: ${name(text)}`);
      for (const other of of(".actions button, .language, .oval.live")) {
        const a = box(text), b = box(other);
        if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1) {
          found.push(`${name(other)} on ${name(text)}`);
        }
      }
    }
    for (const button of of("button")) {
      if (button.scrollWidth > button.clientWidth + 1) found.push(`cut: ${name(button)}`);
      if (box(button).height < 24) found.push(`too low: ${name(button)}`);
    }
    return found;
  };
  // What is covered at the top comes out by scrolling.
  const faults = (whole) => {
    scrollTo(0, 0);
    const found = look();
    if (!document.querySelector("h1")?.textContent) found.push("no heading");
    if (whole) {
      for (const button of of(".actions button")) if (box(button).bottom > innerHeight) found.push(`below the fold: ${name(button)}`);
    }
    if (found.length === 0) return found;
    scrollTo(0, document.documentElement.scrollHeight);
    const still = new Set(look());
    return found.filter((fault) => still.has(fault) || fault.startsWith("below") || fault === "no heading");
  };
  const captures = (view, act) => [
    ["preparing", {}, ["another", "cancel"]],
    ["neutral", { phase: "step", action: "neutral", index: 0, of: 4, hint: "move_closer" }, ["another", "cancel"]],
    ["blink", { phase: "step", action: "blink", index: 1, of: 4, hint: "center" }, ["ease", "cancel"]],
    ...["turn_left", "turn_right", "nod", "open_mouth", "tilt_left", "tilt_right"].flatMap((action) => [false, true].map((again) => [
      `${action} ${again}`, { phase: "step", action, index: 3, of: 5, again, notice: "too_few_frames" }, ["ease", "cancel"]])),
    ["light_warning", { phase: "step", action: "light_warning", index: 6, of: 5 }, ["decline_light", "cancel"]],
    ["judging", { phase: "judging", of: 5 }, []],
  ].map(([title, state, ways]) => [`capture ${title}`, () => {
    const capture = view.showCapture(document.createElement("video"), act);
    capture.set({ ...state, until: performance.now() + 4000 });
    capture.offer(ways);
    capture.set({});
  }]);
  const given = (data) => ({
    ...data, link: `${location.origin}/verify#${"0".repeat(36)}`, until: performance.now() + 500_000,
    ...(data.welcome && { welcome }), ...(data.hint && { hint: data.hint }),
  });
  /** Each screen of the machine's, and each moment of the capture: its name, and what draws it. */
  window.moments = (shows, language) => {
    const view = make(language);
    return [
      ...shows.map(({ screen, ways, data }) => [`${screen} ${ways}`, () => view.show(() => draw(view, screen, ways, given(data), () => {}))]),
      ...captures(view, () => {}),
    ];
  };
  window.faultsOfAll = (shows, language, whole) => moments(shows, language).flatMap(([name, act]) => {
    act();
    return faults(whole).map((fault) => `${name}: ${fault}`);
  });
  /** Of the capture: instruction and picture are seen together. */
  window.apart = (shows, language) => moments(shows, language).filter(([name]) => name.startsWith("capture")).flatMap(([name, act]) => {
    act();
    scrollTo(0, 0);
    return ["h1", ".oval.live"].filter((what) => box(document.querySelector(what)).bottom > innerHeight)
      .map((what) => `${name}: ${what} is not seen with the rest`);
  });
  /** Each screen once, in one language or the other, and each moment of the capture. */
  window.foundBy = async (run, shows, languages) => {
    const found = [];
    const drawn = new Set();
    for (const [number, [name]] of moments(shows, languages[0]).entries()) {
      const [screen] = name.split(" ");
      if (drawn.has(screen) && screen !== "capture") continue;
      drawn.add(screen);
      moments(shows, languages[number % 2])[number][1]();
      found.push(...(await run()).map((fault) => `${name}: ${fault}`));
    }
    return found;
  };
};
