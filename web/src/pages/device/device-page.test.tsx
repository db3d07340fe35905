import { screen } from "@testing-library/react";
import { expect, test } from "vitest";
import { expectAccessible, open, refusal, Server } from "../../fake/server";

const at = "GET /api/v1/me/device-logins/WDJB-MJHT";
const asks = {
  device: "ann@laptop, context weir.example.com",
  address: "192.0.2.7",
  agent: "weir/1",
  token: "login by ann@laptop, context weir.example.com",
  createdAt: "2026-05-01T00:00:00Z",
  expiresAt: "2026-05-01T00:10:00Z",
};

test("a person sees which program asks, and allows it", async () => {
  const server = new Server();
  server.others[at] = { status: 200, body: asks };
  server.others["POST /api/v1/me/device-logins/WDJB-MJHT/allow"] = { status: 204, body: undefined };
  const { user, page } = open("/device?code=WDJB-MJHT");
  await screen.findByText("WDJB-MJHT");
  for (const text of [asks.device, asks.address, "ada@example.com"]) screen.getByText(text);
  await expectAccessible(page);
  await user.click(screen.getByRole("button", { name: "Allow" }));
  await screen.findByText("The program is in.");
  expect(server.calls).toContain("POST /api/v1/me/device-logins/WDJB-MJHT/allow");
});

test("a person types the code, and refuses", async () => {
  const server = new Server();
  server.others["GET /api/v1/me/device-logins/wdjbmjht"] = { status: 200, body: asks };
  server.others["POST /api/v1/me/device-logins/wdjbmjht/refuse"] = { status: 204, body: undefined };
  const { user, page } = open("/device");
  await user.type(await screen.findByLabelText("Code"), "wdjbmjht");
  await expectAccessible(page);
  await user.click(screen.getByRole("button", { name: "Continue" }));
  await screen.findByText("WDJB-MJHT");
  await user.click(screen.getByRole("button", { name: "Refuse" }));
  await screen.findByText("The program was refused.");
});

test("a code that nobody waits with is said, and another can be typed", async () => {
  const server = new Server();
  server.others[at] = refusal(404, "no program waits with this code");
  const { page } = open("/device?code=WDJB-MJHT");
  expect((await screen.findByRole("alert")).textContent).toContain("No program waits with this code.");
  screen.getByLabelText("Code");
  await expectAccessible(page);
});

test("who is not signed in does so first", async () => {
  const server = new Server();
  server.signedIn = false;
  open("/device?code=WDJB-MJHT");
  await screen.findByRole("heading", { name: "Sign in" });
  expect(server.calls).not.toContain(at);
});
