import { isRecord } from "./events";
import type { components } from "./schema.gen";

/** That something changed: which, not what it is now. */
export type Notice = components["schemas"]["Notice"];

type Listener = {
  /** Something changed. The first is a sync, and another one comes wherever something may have been missed. */
  notice: (n: Notice) => void;
  /** Whether notices come now. While they do not, ask now and then. */
  live: (now: boolean) => void;
};

const retryAfter = 30_000; // ms, after a stream was refused

/** Listens to notices while the page is shown. Returns what ends that. */
export function listen({ notice, live }: Listener): () => void {
  if (typeof EventSource === "undefined") return () => undefined;
  let source: EventSource | undefined;
  let retry: ReturnType<typeof setTimeout> | undefined;
  const close = () => {
    clearTimeout(retry);
    source?.close();
    source = undefined;
    live(false);
  };
  // A browser has few connections for all pages of one origin, so a page that nobody sees has none.
  const open = () => {
    close();
    if (document.hidden) return;
    const opened = new EventSource("/api/v1/notices");
    source = opened;
    opened.onmessage = (m: MessageEvent<unknown>) => {
      live(true);
      const n = noticeIn(m.data);
      if (n) notice(n);
    };
    opened.onerror = () => {
      live(false);
      if (opened.readyState !== EventSource.CLOSED) return; // it connects again by itself
      clearTimeout(retry);
      retry = setTimeout(open, retryAfter);
    };
  };
  document.addEventListener("visibilitychange", open);
  open();
  return () => {
    document.removeEventListener("visibilitychange", open);
    close();
  };
}

function noticeIn(data: unknown): Notice | undefined {
  if (typeof data !== "string") return undefined;
  const value: unknown = JSON.parse(data);
  return isRecord(value) && typeof value.kind === "string" ? (value as Notice) : undefined;
}
