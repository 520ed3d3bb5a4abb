/** Events and effects of a verification's state machine: types only. */

/**
 * @typedef {import("./protocol.js").Welcome} Welcome
 * @typedef {import("./protocol.js").Step} Step
 * @typedef {import("./protocol.js").AttemptOver} AttemptOver
 * @typedef {import("./protocol.js").ServerMessage} ServerMessage
 * @typedef {import("./protocol.js").DeviceMessage} DeviceMessage
 * @typedef {import("./protocol.js").CameraNote} CameraNote
 * @typedef {import("./table.js").State} State
 */

/**
 * What the person can press. `leave` returns to the merchant's page or app.
 * @typedef {"agree" | "cancel" | "decline_light" | "hand" | "renew" | "back" | "connect" | "reload" | "copy" | "leave" | "open"
 *   | "another" | "alone" | "tapped" | "again" | "ease"} Way
 */

/**
 * What happened.
 * @typedef {{type: "message", message: ServerMessage} | {type: "line", up: boolean} | {type: "closed", code: number}
 *   | {type: "no_token" | "blocked" | "opened" | "picture" | "tap" | "stopped" | "turned" | "hidden" | "late"}
 *   | {type: "lacking", probe: string} | {type: "connect", no_camera?: boolean} | {type: "failed", reason: CameraNote}
 *   | {type: "cameras", count: number} | {type: "painted", nonce: string} | {type: "seen", alive: boolean}
 *   | {type: Way, alive?: boolean}} Event
 */

/**
 * What is to be done: a screen of `screens.js` with its buttons, a message, or something with the device.
 * @typedef {{do: "show", screen: string, ways: Way[], data: Record<string, any>} | {do: "send", message: DeviceMessage}
 *   | {do: "draw", change: Record<string, any>} | {do: "film" | "rest"} | {do: "offer", ways: Way[]} | {do: "paint", nonce: string}
 *   | {do: "wait" | "connect" | "drop" | "hang_up" | "open_camera" | "look" | "play" | "close_camera" | "next_camera" | "hold_screen"
 *     | "release" | "open_window" | "reload" | "copy" | "buzz_good" | "buzz_bad" | "say_connected"}
 *   | {do: "lead_window", code: string} | {do: "press", on: boolean} | {do: "welcome", welcome: Welcome}
 *   | {do: "tell", event: Record<string, any>} | {do: "end", code: number, message: string, passed?: boolean}} Effect
 */

export {};
