import { type MouseEvent, useSyncExternalStore } from "react";

const moved = "weir:moved";

function subscribe(notify: () => void): () => void {
  addEventListener("popstate", notify);
  addEventListener(moved, notify);
  return () => {
    removeEventListener("popstate", notify);
    removeEventListener(moved, notify);
  };
}

/** The address's path; the page is drawn anew when it changes. */
export function usePath(): string {
  return useSyncExternalStore(subscribe, () => location.pathname);
}

/** Follows a link without loading the page, unless it is meant for another tab or window. */
export function follow(e: MouseEvent<HTMLAnchorElement>): void {
  if (e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
  e.preventDefault();
  history.pushState(null, "", e.currentTarget.href);
  dispatchEvent(new Event(moved));
}
