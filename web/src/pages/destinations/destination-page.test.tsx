import { screen } from "@testing-library/react";
import { expect, test } from "vitest";
import { expectAccessible, open, plane, Server, workspace } from "../../fake/server";

test("a destination is tested from its plane", async () => {
  const server = new Server();
  server.show({ workspaces: [workspace()], planes: [plane()] });
  server.config = {
    status: 200,
    body: {
      workspace: "acme",
      region: "eu",
      destinations: [{ name: "hook", type: "webhook", id: "dst_one", settings: { url: "https://a.example" } }],
    },
    etag: '"4"',
  };
  const call = "POST /v1/destinations/test";
  server.plane.answers[call] = {
    status: 200,
    body: { ok: false, code: "sign_in_failed", detail: "It answered 401.", tried: "request", ms: 12 },
  };
  const { user, page } = open("/workspaces/acme/destinations/hook");
  const button = await screen.findByRole("button", { name: "Test the connection to hook" });
  await user.click(button);
  const alert = await screen.findByRole("alert");
  expect(alert.textContent).toContain("It answered 401.");
  expect(alert.textContent).toContain("Check its user, secrets");
  await expectAccessible(page);
  server.plane.answers[call] = { status: 200, body: { ok: true, code: "", detail: "", tried: "request", ms: 7 } };
  await user.click(button);
  expect(await screen.findByText("It accepts the plane's credentials. It took 7 ms.")).toBeTruthy();
  server.plane.answers[call] = { status: 200, body: { ok: true, code: "", detail: "", tried: "connection", ms: 7 } };
  await user.click(button);
  expect(await screen.findByText(/The plane reaches it.*Whether its credentials are right/)).toBeTruthy();
});
