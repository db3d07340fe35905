import type { Plane } from "../api/client";
import { Problem } from "../api/problem";

const kept = "weir pins";

function pins(): Record<string, { identity: string; fingerprint: string }> {
  try {
    return JSON.parse(localStorage.getItem(kept) ?? "{}");
  } catch {
    return {};
  }
}

/** A plane that shows another identity than it showed this browser before. */
export class ForeignPlane extends Problem {
  readonly plane: Plane;

  constructor(plane: Plane, pinned: string) {
    super(
      403,
      `Plane ${plane.name} shows another identity than before, so somebody may stand in its place; nothing was sealed.`,
      `Known: ${pinned}. Shown: ${plane.fingerprint}. Compare the shown one with the one on the plane's own machine before you trust it.`,
    );
    this.name = "ForeignPlane";
    this.plane = plane;
  }
}

/** Keeps a plane's identity at its first use; throws when it is another one later. */
export function checkPin(plane: Plane): void {
  const all = pins();
  const pin = all[plane.id];
  if (pin && pin.identity !== plane.identityKey) throw new ForeignPlane(plane, pin.fingerprint);
  if (!pin) trust(plane);
}

/** Takes a plane's identity for its own from now on. */
export function trust(plane: Plane): void {
  const all = pins();
  all[plane.id] = { identity: plane.identityKey, fingerprint: plane.fingerprint };
  localStorage.setItem(kept, JSON.stringify(all));
}
