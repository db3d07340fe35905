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

/** The address's query, as it is drawn. */
export function useQueryText(): string {
  return useSyncExternalStore(subscribe, () => location.search);
}

/** Changes one value of the address's query without a new entry in the history; "" removes it. */
export function putQuery(name: string, value: string): void {
  const next = new URLSearchParams(location.search);
  if (value === "") next.delete(name);
  else next.set(name, value);
  const text = next.toString();
  history.replaceState(null, "", `${location.pathname}${text === "" ? "" : `?${text}`}${location.hash}`);
  dispatchEvent(new Event(moved));
}

/**
 * A value of the address's fragment, which a browser never sends to a server: here stands what only data planes may
 * know, such as a person's identifier that somebody looks for. "" where there is none.
 */
export function useFragment(name: string): string {
  return new URLSearchParams(useSyncExternalStore(subscribe, () => location.hash.slice(1))).get(name) ?? "";
}

/** The fragment that holds one value; "" for an empty one. */
export function fragment(name: string, value: string): string {
  return value === "" ? "" : `#${new URLSearchParams({ [name]: value })}`;
}

/** Changes one value of the address's fragment without a new entry in the history; "" removes it. */
export function putFragment(name: string, value: string): void {
  const next = new URLSearchParams(location.hash.slice(1));
  if (value === "") next.delete(name);
  else next.set(name, value);
  const text = next.toString();
  history.replaceState(null, "", `${location.pathname}${location.search}${text === "" ? "" : `#${text}`}`);
  dispatchEvent(new Event(moved));
}

/** Goes to another page of the console. */
export function go(path: string): void {
  history.pushState(null, "", path);
  dispatchEvent(new Event(moved));
}
