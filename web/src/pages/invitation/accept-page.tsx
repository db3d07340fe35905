import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { asksForCode } from "../../api/client";
import { acceptInvitation } from "../../api/tenants";
import { Button } from "../../parts/button";
import { Input } from "../../parts/input";
import { Mark } from "../../parts/mark";
import { Trouble } from "../trouble";

const shortest = 12; // bytes of a new password

/** Uses an invitation, whose token stands behind the address, where no server sees it: with the password of the account of its address, or one that is made. */
export function AcceptPage() {
  const [password, setPassword] = useState("");
  const token = location.hash.slice(1);
  const [code, setCode] = useState("");
  const [asked, setAsked] = useState(false);
  const accept = useMutation({
    mutationFn: () => acceptInvitation(token, password, code.trim()),
    onSuccess: () => location.assign("/"),
    onError: (e) => setAsked((before) => before || asksForCode(e)),
  });
  return (
    <main className="mx-auto max-w-sm space-y-6 px-4 py-16">
      <Mark />
      <h1 className="text-xl font-semibold tracking-tight">Accept the invitation</h1>
      {token === "" ? (
        <p className="text-sm text-soft">The link is not whole. Copy all of it from the message that brought it.</p>
      ) : (
        <form
          className="space-y-5"
          onSubmit={(e) => {
            e.preventDefault();
            accept.mutate();
          }}
        >
          <Input
            label="Password"
            type="password"
            autoComplete="new-password"
            hint={`If you have an account with this e-mail address, its password. Else choose one, ${shortest} characters at least.`}
            value={password}
            onChange={(e) => setPassword(e.target.value)}
          />
          {asked ? (
            <Input
              label="One-time code"
              autoComplete="one-time-code"
              value={code}
              onChange={(e) => setCode(e.target.value)}
            />
          ) : null}
          {accept.error ? <Trouble error={accept.error} /> : null}
          <Button look="strong" type="submit" disabled={password === "" || accept.isPending}>
            {accept.isPending ? "One moment…" : "Accept"}
          </Button>
        </form>
      )}
    </main>
  );
}
