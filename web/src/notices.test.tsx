import { screen, waitFor } from "@testing-library/react";
import { beforeEach, expect, test, vi } from "vitest";
import type { Notice } from "./api/notices";
import { open, plane, Server, workspace } from "./fake/server";

/** A stream in place of EventSource. */
class Stream {
  static readonly CLOSED = 2;
  static opened: Stream[] = [];
  readyState = 1;
  onmessage: ((m: { data: string }) => void) | null = null;
  onerror: (() => void) | null = null;
  constructor(readonly url: string) {
    Stream.opened.push(this);
  }
  close() {
    this.readyState = Stream.CLOSED;
  }
  say(n: Notice) {
    this.onmessage?.({ data: JSON.stringify(n) });
  }
}

beforeEach(() => {
  Stream.opened = [];
  vi.stubGlobal("EventSource", Stream);
});

function asked(server: Server): number {
  return server.calls.filter((c) => c === "GET /api/v1/status").length;
}

async function opened(): Promise<{ server: Server; stream: Stream }> {
  const server = new Server();
  server.show({ planes: [plane()], workspaces: [workspace()] });
  open();
  await screen.findByRole("heading", { level: 1, name: "acme" });
  const stream = Stream.opened.at(-1);
  if (!stream) throw new Error("no stream was opened");
  expect(stream.url).toBe("/api/v1/notices");
  return { server, stream };
}

test("a notice has the page ask for what changed", async () => {
  const { server, stream } = await opened();
  stream.say({ kind: "tokens" });
  const before = asked(server);
  server.show({ planes: [plane()], workspaces: [workspace({ number: 7, applied: 7, running: 7 })] });
  stream.say({ kind: "workspace", workspace: "acme", workspaceId: "ws_one", number: 7 });
  await screen.findAllByText(/Revision 7 is running/);
  expect(asked(server)).toBe(before + 1);
});

test("what a plane says of itself is shown without asking", async () => {
  const { server, stream } = await opened();
  const before = asked(server);
  stream.say({
    kind: "plane",
    plane: plane().id,
    state: { healthy: false, lastBeat: new Date(Date.now() - 3_600_000).toISOString(), alarms: [], conditions: [] },
  });
  await waitFor(() => expect(document.body.textContent).toMatch(/eu-1 has not been heard for 36\d\d s/));
  expect(asked(server)).toBe(before);
});

test("a page that nobody sees listens to nothing, and asks for everything when it is seen", async () => {
  const { server, stream } = await opened();
  const hidden = vi.spyOn(document, "hidden", "get").mockReturnValue(true);
  document.dispatchEvent(new Event("visibilitychange"));
  expect(stream.readyState).toBe(Stream.CLOSED);
  hidden.mockReturnValue(false);
  document.dispatchEvent(new Event("visibilitychange"));
  const again = Stream.opened.at(-1);
  expect(again).not.toBe(stream);
  const before = asked(server);
  again?.say({ kind: "sync" });
  await waitFor(() => expect(asked(server)).toBeGreaterThan(before));
});
