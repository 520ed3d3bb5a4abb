/** Types of renzheng's JavaScript SDK. */

export declare const VERSION: string;

/** What a verification can end with on the device; the numbers are those of Tencent's SDK. */
export declare const CODES: Readonly<{
  /** Finished. Ask your server, which calls GetFaceIdResult: only that is proof. */
  FINISHED: 0;
  /** The network failed for good. */
  NETWORK: 210;
  /** The person left, or `signal` was aborted. */
  CANCELLED: 212;
  /** A fault of the page or of the server. */
  INNER: 213;
  /** It went on, or goes on, on another device. */
  SWITCHED: 214;
  /** The person or the browser refused the camera. */
  CAMERA_REFUSED: 215;
  /** The frame did not answer, its page is out of date, or this origin is not allowed. */
  NOT_STARTED: 216;
  /** No camera, one in use elsewhere, an insecure address, or too old a browser. */
  CAMERA_UNUSABLE: 218;
  /** A parameter of `start` is missing or wrong. */
  PARAMETER: 221;
  /** The person ran out of time and did not go again. */
  TIMEOUT: 222;
  /** The token is unknown, expired, used, or bound to another device. */
  ILLEGAL_TOKEN: 288;
}>;

export type Code = (typeof CODES)[keyof typeof CODES];

export interface End {
  code: Code;
  /** For developers, in English. */
  message: string;
  token: string;
  /** Present with code 0: what the person was told. Not proof. */
  passed?: boolean;
}

export type Action = "neutral" | "blink" | "open_mouth" | "turn_left" | "turn_right" | "nod" | "tilt_left" | "tilt_right" | "light_warning";

export type ProgressEvent =
  /** A screen came up; `name` as in `data-screen` of the page. */
  | { type: "screen"; name: string }
  /** An action is asked for, or the warning before the colours of the light challenge; those are not told. */
  | { type: "step"; index: number; of: number; action: Action }
  /** A hint came up or, with null, went away. */
  | { type: "hint"; code: string | null }
  | { type: "connection"; connected: boolean };

export interface StartOptions {
  /** FaceIdToken, from your server's GetFaceIdToken. */
  token: string;
  /** Where the frame is put: an element or a selector. It takes the element's size; 360 by 560 pixels are enough. */
  container?: Element | string;
  /** In place of `container`: leave for the server's page, and come back to this address of your own origin. */
  redirect?: string;
  /** The browser's where absent. */
  language?: "zh-CN" | "en-US";
  /** `auto`, where absent, follows the system. */
  theme?: "auto" | "light" | "dark";
  onevent?: (event: ProgressEvent) => void;
  /** Ends it from your side, as code 212. */
  signal?: AbortSignal;
  /** The frame's accessible name. */
  title?: string;
  /** Origin of the renzheng server, where this file was not loaded from it. */
  server?: string;
}

/** Text for GetFaceIdToken's `Meta`; binds the token to this device unless `bind` is false or no key can be kept. */
export declare function getMeta(options?: { bind?: boolean }): Promise<string>;

/** Runs one verification; the promise never fails. */
export declare function start(options: StartOptions): Promise<End>;

/** At a `redirect` address: the code that the server's page came back with. */
export declare function returned(): { code: number } | undefined;

/** Used by the server's own page. */
export declare function signIdentity(nonce: string, token: string): Promise<string>;
