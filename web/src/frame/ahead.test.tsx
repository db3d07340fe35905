import { screen, waitFor } from "@testing-library/react";
import { expect, test } from "vitest";
import { open, plane, refusal, Server, workspace } from "../fake/server";

/** What the first page of a workspace needs, none of which waits for the answer to another. */
const first = [
  "GET /api/v1/me",
  "GET /api/v1/status",
  "GET /api/v1/workspaces/acme/config",
  "POST /api/v1/capabilities",
];

test("what the first page needs is asked for at once, before any of it is answered", async () => {
  const server = new Server();
  localStorage.setItem("weir session", "1");
  for (const call of first) server.others[call] = "never";
  open("/workspaces/acme/connections");
  await waitFor(() => expect([...server.calls].sort()).toEqual([...first].sort()));
});

test("signing in asks for the first page of the workspace that one was in last", async () => {
  const server = new Server();
  server.signedIn = false;
  localStorage.setItem("weir workspace", "acme");
  const { user } = open();
  await user.type(await screen.findByLabelText("Email"), "ada@example.com");
  await user.type(screen.getByLabelText("Password"), "  secret ");
  for (const call of first) server.others[call] = "never";
  server.calls.length = 0;
  await user.click(screen.getByRole("button", { name: "Sign in" }));
  await waitFor(() => expect([...server.calls].sort()).toEqual(["POST /api/v1/login", ...first].sort()));
});

test("where nobody is signed in as far as the browser knows, nothing but that is asked", async () => {
  const server = new Server();
  server.signedIn = false;
  open("/workspaces/acme");
  await screen.findByRole("heading", { name: "Sign in" });
  expect(server.calls).toEqual(["GET /api/v1/me"]);
});

test("a session that ended meanwhile leads to the sign-in, and is not expected any more", async () => {
  const server = new Server();
  server.signedIn = false;
  server.status = refusal(401, "Nobody is signed in.");
  server.config = refusal(401, "Nobody is signed in.");
  server.capability = refusal(401, "Nobody is signed in.");
  localStorage.setItem("weir session", "1");
  open("/workspaces/acme");
  await screen.findByRole("heading", { name: "Sign in" });
  await waitFor(() => expect(localStorage.getItem("weir session")).toBeNull());
});

test("a page of a workspace asks for the status of that one alone", async () => {
  const server = new Server();
  server.show({ planes: [plane()], workspaces: [workspace()] });
  const asked: string[] = [];
  const answer = globalThis.fetch;
  globalThis.fetch = (input, init) => {
    if (input instanceof Request && input.url.includes("/api/v1/status")) asked.push(new URL(input.url).search);
    return answer(input, init);
  };
  open("/workspaces/acme");
  await screen.findByRole("heading", { level: 1, name: "acme" });
  expect([...new Set(asked)]).toEqual(["?name=acme"]);
});
