import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useId, useState } from "react";
import { asksForCode, beginProvider, login } from "../../api/client";
import { Problem } from "../../api/problem";
import { Button } from "../../parts/button";
import { Mark } from "../../parts/mark";
import { keys } from "../../queries";
import { Trouble } from "../trouble";

/** Why a sign-in at an identity provider failed, by the code in the address that it leads back to. */
const failures: Record<string, [string, string]> = {
  not_member: ["You are no member of the organization.", "Ask one of its administrators for an invitation."],
  address_refused: [
    "The identity provider names no verified email address of the organization's domains for you.",
    "Ask an owner of the organization which domains may sign in.",
  ],
  sign_in_refused: ["The identity provider did not sign you in, or it took too long.", "Begin again."],
  provider_away: ["The identity provider does not answer.", "Try again, or sign in with your password."],
};

function failure(): Problem | undefined {
  const code = new URLSearchParams(globalThis.location.search).get("sign-in");
  const [text, remedy] = failures[code ?? ""] ?? [];
  return text === undefined ? undefined : new Problem(401, text, remedy ?? "");
}

/** Asks for email and password, and for a one-time code where the account has an authenticator. */
export function Login() {
  const queries = useQueryClient();
  const [asked, setAsked] = useState(false);
  const enter = useMutation({
    mutationFn: (who: { email: string; password: string; code: string }) => login(who.email, who.password, who.code),
    onSuccess: () => queries.invalidateQueries({ queryKey: keys.me }),
    onError: (e) => setAsked((before) => before || asksForCode(e)),
  });
  const submit = (e: FormEvent<HTMLFormElement>) => {
    e.preventDefault();
    const form = new FormData(e.currentTarget);
    enter.mutate({
      email: String(form.get("email") ?? "").trim(),
      password: String(form.get("password") ?? ""),
      code: String(form.get("code") ?? "").trim(),
    });
  };
  const came = failure();
  return (
    <main className="flex min-h-dvh items-center justify-center px-4 py-12">
      <div className="w-full max-w-sm space-y-6">
        <Mark />
        <h1 className="text-2xl font-semibold tracking-tight">Sign in</h1>
        {enter.error ? <Trouble error={enter.error} /> : null}
        {came && !enter.error ? <Trouble error={came} /> : null}
        <form onSubmit={submit} className="space-y-4">
          <Field label="Email" name="email" type="email" autoComplete="username" />
          <Field label="Password" name="password" type="password" autoComplete="current-password" />
          {asked ? <Field label="One-time code" name="code" type="text" autoComplete="one-time-code" /> : null}
          <Button look="strong" type="submit" disabled={enter.isPending}>
            {enter.isPending ? "Signing in…" : "Sign in"}
          </Button>
        </form>
        <ByProvider />
        <p className="text-sm text-soft">
          The first start of the control plane prints a login for its administrator; with{" "}
          <code className="font-mono text-ink">weir dev</code> it stands in the terminal and in{" "}
          <code className="font-mono text-ink">.weir/dev.json</code>.
        </p>
      </div>
    </main>
  );
}

/** Leads to the identity provider of an organization. */
function ByProvider() {
  const [shown, setShown] = useState(false);
  const begin = useMutation({
    mutationFn: (organization: string) =>
      beginProvider(organization, globalThis.location.pathname === "/login" ? "/" : globalThis.location.pathname),
    onSuccess: (url) => globalThis.location.assign(url),
  });
  if (!shown) return <Button onClick={() => setShown(true)}>Use your organization’s identity provider</Button>;
  const submit = (e: FormEvent<HTMLFormElement>) => {
    e.preventDefault();
    begin.mutate(String(new FormData(e.currentTarget).get("organization") ?? "").trim());
  };
  return (
    <form onSubmit={submit} className="space-y-4">
      {begin.error ? <Trouble error={begin.error} /> : null}
      <Field label="Organization" name="organization" type="text" autoComplete="organization" />
      <Button type="submit" disabled={begin.isPending}>
        Go to its identity provider
      </Button>
    </form>
  );
}

function Field({
  label,
  name,
  type,
  autoComplete,
}: {
  label: string;
  name: string;
  type: string;
  autoComplete: string;
}) {
  const id = useId();
  return (
    <div className="space-y-1.5">
      <label htmlFor={id} className="block text-sm font-medium">
        {label}
      </label>
      <input
        id={id}
        name={name}
        type={type}
        autoComplete={autoComplete}
        required
        className="h-10 w-full rounded-lg border border-edge bg-card px-3 text-base text-ink"
      />
    </div>
  );
}
