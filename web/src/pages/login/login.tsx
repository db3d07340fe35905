import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useId, useState } from "react";
import { asksForCode, beginProvider, login } from "../../api/client";
import { askAhead } from "../../frame/ahead";
import { placeIn } from "../../frame/place";
import { Button } from "../../parts/button";
import { Mark } from "../../parts/mark";
import { keys } from "../../queries";
import { Trouble } from "../trouble";
import { failedSignIn } from "./failures";

/** Asks for email and password, and for a one-time code where the account has an authenticator. */
export function Login() {
  const queries = useQueryClient();
  const [asked, setAsked] = useState(false);
  const enter = useMutation({
    mutationFn: (who: { email: string; password: string; code: string }) => login(who.email, who.password, who.code),
    onSuccess: () => {
      askAhead(queries, location.pathname);
      return queries.invalidateQueries({ queryKey: keys.me });
    },
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
  const came = failedSignIn();
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

/** The organization that the address names: a member's way in, or a page of it. */
function named(): string {
  const { search, pathname } = globalThis.location;
  return new URLSearchParams(search).get("organization") ?? placeIn(pathname).organization;
}

/** The page to go on with after the way to a provider and back. */
function back(): string {
  const { search, pathname } = globalThis.location;
  if (pathname === "/device") return pathname + search; // the code of the program that waits
  return pathname === "/login" ? "/" : pathname;
}

/** Leads to the identity provider of an organization. */
function ByProvider() {
  const [name] = useState(named);
  const [shown, setShown] = useState(name !== "");
  const begin = useMutation({
    mutationFn: (organization: string) => beginProvider(organization, back()),
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
      <Field label="Organization" name="organization" type="text" autoComplete="organization" initial={name} />
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
  initial = "",
}: {
  label: string;
  name: string;
  type: string;
  autoComplete: string;
  initial?: string;
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
        defaultValue={initial}
        required
        className="h-10 w-full rounded-lg border border-edge bg-card px-3 text-base text-ink"
      />
    </div>
  );
}
