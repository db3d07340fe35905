import { useMutation, useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { decideDevice, deviceLogin } from "../../api/account";
import { Problem } from "../../api/problem";
import { Button } from "../../parts/button";
import { Input } from "../../parts/input";
import { Mark } from "../../parts/mark";
import { Notice } from "../../parts/notice";
import { Waiting } from "../../parts/waiting";
import { Trouble } from "../trouble";
import { Asking } from "./asking";

/** Where a person who is signed in lets a program in, such as `weir login` on some machine. The address may bring its code. */
export function DevicePage({ email }: { email: string }) {
  const [code, setCode] = useState(() => new URLSearchParams(location.search).get("code") ?? "");
  const found = useQuery({
    queryKey: ["device login", code],
    queryFn: () => deviceLogin(code),
    enabled: code !== "",
    refetchOnWindowFocus: false, // wrong codes are counted
    staleTime: Number.POSITIVE_INFINITY,
  });
  const decide = useMutation({ mutationFn: (allow: boolean) => decideDevice(code, allow) });
  const late = found.error instanceof Problem && found.error.status === 404;
  return (
    <main className="flex min-h-dvh items-center justify-center px-4 py-12">
      <div className="w-full max-w-md space-y-6">
        <Mark />
        <h1 className="text-2xl font-semibold tracking-tight">Let a program in</h1>
        {decide.isSuccess ? (
          <Outcome allowed={decide.variables} />
        ) : found.data ? (
          <Asking
            code={code}
            asks={found.data}
            email={email}
            pending={decide.isPending}
            error={decide.error}
            onDecide={decide.mutate}
          />
        ) : found.isFetching ? (
          <Waiting what="the program" />
        ) : (
          <>
            {late ? (
              <Notice tone="bad" title="No program waits with this code.">
                <p>
                  A code is good for ten minutes, and once. Compare it with what the program shows, or start the program
                  again.
                </p>
              </Notice>
            ) : found.error ? (
              <Trouble error={found.error} />
            ) : null}
            <Enter onCode={setCode} />
          </>
        )}
      </div>
    </main>
  );
}

function Enter({ onCode }: { onCode: (code: string) => void }) {
  const [typed, setTyped] = useState("");
  const submit = (e: FormEvent<HTMLFormElement>) => {
    e.preventDefault();
    onCode(typed.trim());
  };
  return (
    <form onSubmit={submit} className="space-y-5">
      <Input
        label="Code"
        hint="The program shows it: eight letters, such as WDJB-MJHT."
        autoCapitalize="characters"
        spellCheck={false}
        value={typed}
        onChange={(e) => setTyped(e.target.value)}
      />
      <Button look="strong" type="submit" disabled={typed.trim() === ""}>
        Continue
      </Button>
    </form>
  );
}

function Outcome({ allowed }: { allowed: boolean }) {
  return allowed ? (
    <Notice tone="calm" title="The program is in.">
      <p>Go on where it runs; this page can be closed. Its token stands under Account, where you revoke it.</p>
    </Notice>
  ) : (
    <Notice tone="calm" title="The program was refused.">
      <p>It gets no token. This page can be closed.</p>
    </Notice>
  );
}
