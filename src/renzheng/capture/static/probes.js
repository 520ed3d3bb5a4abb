/** What this browser lacks, found before anything is asked of the person: a ladder, not a wall. */

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

/** Whether the page around this one keeps the camera from it. */
export function isForbidden() {
  const policy = document.permissionsPolicy ?? document.featurePolicy;
  return policy !== undefined && !policy.allowsFeature("camera");
}

/** @returns {Promise<boolean>} true only where it is certain that there is no camera */
export async function hasNoCamera() {
  if (isForbidden()) return false; // some browsers then list none
  try {
    return !(await navigator.mediaDevices.enumerateDevices()).some((device) => device.kind === "videoinput");
  } catch {
    return false;
  }
}

export const isLoopback = () => /^(localhost|127\.[\d.]+|\[::1\])$/.test(location.hostname);
