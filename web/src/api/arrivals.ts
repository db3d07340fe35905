import { ask } from "./plane";

/** What came to a source since its plane's process started. */
export type Arrival = {
  source: string;
  received: number;
  accepted: number;
  refused: number;
  reasons: Record<string, number>;
  lastAccepted?: string;
  lastRefused?: string;
};

export type Arrivals = { since: string; sources: Arrival[] };

/** What came to the sources of a workspace, and why what was refused was. */
export async function arrivals(workspace: string, signal: AbortSignal): Promise<Arrivals> {
  const answer = await ask({ workspace, action: "ledger:read" }, { path: "/v1/arrivals", signal });
  return await answer.json();
}

/** How a gateway answered a test event: a status, with its code where it refused it. */
export type Sent = { status: number; code: string };

const patience = 10_000; // ms

/** Sends one event to a source, as its senders do. A TypeError: this browser got no answer. */
export async function sendTest(gateway: string, writeKey: string, type: string): Promise<Sent> {
  const url = gateway.replace(/\/+$/, "");
  const sent = { from: "the console", test: true };
  const request =
    type === "webhook"
      ? new Request(`${url}/v1/webhook?writeKey=${encodeURIComponent(writeKey)}`, post(sent))
      : new Request(
          `${url}/v1/track`,
          post(
            { messageId: crypto.randomUUID(), anonymousId: "weir-test", event: "Test event", properties: sent },
            { Authorization: `Basic ${btoa(`${writeKey}:`)}` },
          ),
        );
  const answer = await globalThis.fetch(request);
  const body: unknown = await answer.json().catch(() => null);
  return { status: answer.status, code: codeIn(body) };
}

function post(body: unknown, headers: Record<string, string> = {}): RequestInit {
  return {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
    credentials: "omit",
    signal: AbortSignal.timeout(patience),
  };
}

function codeIn(body: unknown): string {
  if (typeof body !== "object" || body === null || !("error" in body)) return "";
  const { error } = body;
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
}
