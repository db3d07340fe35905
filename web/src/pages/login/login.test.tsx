import { screen } from "@testing-library/react";
import { expect, test } from "vitest";
import { expectAccessible, open, refusal, Server, workspace } from "../../fake/server";

async function enter(user: ReturnType<typeof open>["user"]): Promise<void> {
  await user.type(await screen.findByLabelText("Email"), "ada@example.com");
  await user.tab();
  await user.keyboard("  secret {Enter}");
}

test("a wrong password is refused with cause and remedy, and what was typed stays", async () => {
  const server = new Server();
  server.signedIn = false;
  server.login = refusal(401, "the address or the password is wrong");
  const { user, page } = open();
  await enter(user);
  const alert = await screen.findByRole("alert");
  expect(alert.textContent).toContain("The address or the password is wrong.");
  expect(alert.textContent).toContain("Check both");
  expect(screen.getByLabelText("Email")).toHaveProperty("value", "ada@example.com");
  await expectAccessible(page);
});

test("a control plane that is away is not mistaken for a wrong password", async () => {
  const server = new Server();
  server.signedIn = false;
  server.login = "down";
  const { user } = open();
  await enter(user);
  expect((await screen.findByRole("alert")).textContent).toContain("The control plane does not answer.");
});

test("signing in leads to the workspaces, signing out back", async () => {
  const server = new Server();
  server.signedIn = false;
  server.show({ workspaces: [workspace()] });
  const { user } = open();
  await enter(user);
  await screen.findByRole("heading", { level: 1, name: "acme" });
  await user.click(screen.getByRole("button", { name: "Signed in as ada@example.com" }));
  await user.click(screen.getByRole("button", { name: "Sign out" }));
  await screen.findByRole("heading", { name: "Sign in" });
  expect(screen.queryByText("acme")).toBeNull();
  expect(server.calls).toContain("POST /api/v1/logout");
});

test("a session that ended asks to sign in", async () => {
  const server = new Server();
  server.status = refusal(401, "The session is over.");
  open();
  await screen.findByRole("heading", { name: "Sign in" });
});

test("an account with an authenticator asks for its code", async () => {
  const server = new Server();
  server.signedIn = false;
  server.login = refusal(401, "this account asks for a one-time code too", [
    { path: "code", code: "code_needed", text: "Send the six digits that the authenticator app shows." },
  ]);
  server.show({ workspaces: [workspace()] });
  const { user, page } = open();
  await enter(user);
  const code = await screen.findByLabelText("One-time code");
  expect((await screen.findByRole("alert")).textContent).toContain("This account asks for a one-time code too.");
  await expectAccessible(page);
  server.login = { status: 200, body: { email: "ada@example.com", role: "owner" } };
  server.code = { code: "123456" };
  await user.type(code, "123456{Enter}");
  await screen.findByRole("heading", { level: 1, name: "acme" });
});

test("why a sign-in at a provider failed is said", async () => {
  const server = new Server();
  server.signedIn = false;
  const { page } = open("/?sign-in=not_member");
  expect((await screen.findByRole("alert")).textContent).toContain("You are no member of the organization.");
  await expectAccessible(page);
});
