/** Finds what this browser lacks before anything is asked of the person, so that the page can offer another way. */

const LIST_MS = 1500; // some browsers never answer which cameras there are

/**
 * Returns a promise's value, or `otherwise` if it fails or takes longer than `ms`.
 * @template T
 * @param {Promise<T> | undefined} promise @param {number} ms @param {T | undefined} otherwise @returns {Promise<T | undefined>}
 */
export function within(promise, ms, otherwise) {
  const late = new Promise((done) => setTimeout(() => done(otherwise), ms));
  return Promise.race([Promise.resolve(promise).catch(() => otherwise), late]);
}

/** @returns {"insecure" | "in_app" | "old" | "no_socket" | undefined} the first thing that is missing */
export function missing() {
  if (!window.isSecureContext) return "insecure";
  if (!window.crypto?.subtle || !HTMLCanvasElement.prototype.toBlob || !Blob.prototype.arrayBuffer) return "old";
  if (!navigator.mediaDevices?.getUserMedia) return isInApp() ? "in_app" : "old";
  if (!window.WebSocket) return "no_socket";
  return undefined;
}

/** Browsers inside other apps, some of which have no camera. */
export const isInApp = () => /MicroMessenger|QQ\/|AlipayClient|DingTalk|Weibo|FBAN|FBAV|Line\/|; wv\)/.test(navigator.userAgent);

export const isPhone = () => matchMedia("(pointer: coarse)").matches;

/** Whether the framing page denies this page the camera. */
export function isForbidden() {
  /** @type {any} the name in non-standard browsers */
  const page = document;
  const policy = page.permissionsPolicy ?? page.featurePolicy;
  return policy !== undefined && !policy.allowsFeature("camera");
}

/** @returns {Promise<boolean>} true only if there certainly is no camera */
export async function hasNoCamera() {
  if (isForbidden()) return false; // some browsers then list none
  try {
    const devices = await within(navigator.mediaDevices.enumerateDevices(), LIST_MS, undefined);
    return devices !== undefined && !devices.some((device) => device.kind === "videoinput");
  } catch {
    return false;
  }
}
