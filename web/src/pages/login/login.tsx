import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useId } from "react";
import { login } from "../../api/client";
import { Button } from "../../parts/button";
import { Mark } from "../../parts/mark";
import { keys } from "../../queries";
import { Trouble } from "../trouble";

/** Asks for email and password. */
export function Login() {
  const queries = useQueryClient();
  const enter = useMutation({
    mutationFn: ({ email, password }: { email: string; password: string }) => login(email, password),
    onSuccess: () => queries.invalidateQueries({ queryKey: keys.me }),
  });
  const submit = (e: FormEvent<HTMLFormElement>) => {
    e.preventDefault();
    const form = new FormData(e.currentTarget);
    enter.mutate({ email: String(form.get("email") ?? "").trim(), password: String(form.get("password") ?? "") });
  };
  return (
    <main className="flex min-h-dvh items-center justify-center px-4 py-12">
      <div className="w-full max-w-sm space-y-6">
        <Mark />
        <h1 className="text-2xl font-semibold tracking-tight">Sign in</h1>
        {enter.error ? <Trouble error={enter.error} /> : null}
        <form onSubmit={submit} className="space-y-4">
          <Field label="Email" name="email" type="email" autoComplete="username" />
          <Field label="Password" name="password" type="password" autoComplete="current-password" />
          <Button look="strong" type="submit" disabled={enter.isPending}>
            {enter.isPending ? "Signing in…" : "Sign in"}
          </Button>
        </form>
        <p className="text-sm text-soft">
          The first start of the control plane prints a login for its administrator; with{" "}
          <code className="font-mono text-ink">weir dev</code> it stands in the terminal and in{" "}
          <code className="font-mono text-ink">.weir/dev.json</code>.
        </p>
      </div>
    </main>
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
