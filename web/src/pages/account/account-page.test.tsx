import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { expectAccessible, open, refusal, Server } from "../../fake/server";

const session = {
  id: "ses_one",
  address: "10.0.0.7",
  agent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36",
  by: "password",
  createdAt: "2026-01-01T00:00:00Z",
  lastSeenAt: "2026-01-01T00:00:00Z",
  expiresAt: "2026-01-02T00:00:00Z",
  current: true,
};
const phone = {
  ...session,
  id: "ses_two",
  address: "10.0.0.8",
  agent: "Mozilla/5.0 (iPhone) Safari/604",
  current: false,
};

function account(enrolled: boolean): Server {
  const server = new Server();
  server.others["GET /api/v1/me/sessions"] = { status: 200, body: { sessions: [session, phone] } };
  server.others["GET /api/v1/me/authenticator"] = { status: 200, body: { enrolled, recoveryCodes: enrolled ? 2 : 0 } };
  server.others["GET /api/v1/me/tokens"] = { status: 200, body: { tokens: [], next: "" } };
  return server;
}

test("sessions are shown, and another one is ended", async () => {
  const server = account(false);
  server.others["DELETE /api/v1/me/sessions/ses_two"] = { status: 204 };
  const { user, page } = open("/account");
  const table = within(await screen.findByRole("table", { name: "Sessions" }));
  expect(table.getByRole("row", { name: /Chrome on Linux.*This one.*10\.0\.0\.7/ })).toBeTruthy();
  await expectAccessible(page);
  await user.click(table.getByRole("button", { name: /End.*Safari on iOS from 10\.0\.0\.8/ }));
  await waitFor(() => expect(server.calls).toContain("DELETE /api/v1/me/sessions/ses_two"));
});

test("an authenticator is set up by password and code, and its recovery codes are shown", async () => {
  const server = account(false);
  server.others["POST /api/v1/me/authenticator"] = refusal(403, "the password is wrong");
  const { user } = open("/account");
  await user.click(await screen.findByRole("button", { name: "Set up an authenticator app…" }));
  await user.type(screen.getByLabelText("Password of your account"), "wrong");
  await user.click(screen.getByRole("button", { name: "Continue" }));
  const alert = await screen.findByRole("alert");
  expect(alert.textContent).toBe("The password is wrong."); // and no word of administrators
  server.others["POST /api/v1/me/authenticator"] = {
    status: 200,
    body: { secret: "ABCDEFGH", uri: "otpauth://totp/x", qr: "data:image/png;base64,AAAA" },
  };
  await user.click(screen.getByRole("button", { name: "Continue" }));
  expect((await screen.findByRole("region", { name: "the key for the app" })).textContent).toBe("ABCD EFGH");
  server.others["POST /api/v1/me/authenticator/confirm"] = { status: 200, body: { recoveryCodes: ["aaaa-bbbb"] } };
  await user.type(screen.getByLabelText("Code that the app shows"), "123 456");
  await user.click(screen.getByRole("button", { name: "Ask for codes from now on" }));
  expect((await screen.findByRole("region", { name: "the recovery codes" })).textContent).toBe("aaaa-bbbb");
  await expectAccessible(screen.getByRole("dialog"));
  expect(server.sent.at(-1)?.body).toEqual({ code: "123 456" });
});

test("a changed password needs the code of an account that has an authenticator", async () => {
  const server = account(true);
  server.others["POST /api/v1/me/password"] = { status: 204 };
  const { user } = open("/account");
  expect(await screen.findByText(/2 recovery codes are left; make others/)).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "Change password…" }));
  await user.type(screen.getByLabelText("Password of your account"), "former");
  await user.type(screen.getByRole("textbox", { name: "One-time code" }), "654321");
  await user.type(screen.getByLabelText("New password"), "a whole sentence");
  await user.type(screen.getByLabelText("New password again"), "a whole sentenc");
  expect(screen.getByText("The two differ.")).toBeTruthy();
  await user.type(screen.getByLabelText("New password again"), "e");
  await user.click(screen.getByRole("button", { name: "Change it" }));
  expect(await screen.findByText(/every other session ended/)).toBeTruthy();
  expect(server.sent).toEqual([
    { call: "POST /api/v1/me/password", body: { former: "former", password: "a whole sentence", code: "654321" } },
  ]);
});

test("who signed in at a provider is told who looks after the password", async () => {
  const server = account(false);
  server.others["GET /api/v1/me/sessions"] = { status: 200, body: { sessions: [{ ...session, by: "provider" }] } };
  const { page } = open("/account");
  expect(await screen.findByText(/signed in at your organization’s identity provider/)).toBeTruthy();
  await expectAccessible(page);
});
