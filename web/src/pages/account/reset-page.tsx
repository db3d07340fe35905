import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { resetPassword } from "../../api/account";
import { Button } from "../../parts/button";
import { Link } from "../../parts/link";
import { Mark } from "../../parts/mark";
import { Notice } from "../../parts/notice";
import { Trouble } from "../trouble";
import { NewPassword, newPasswordOf, noPassword } from "./new-password";

/** Uses an administrator's link, whose token stands behind the address, where no server sees it, to choose a password. */
export function ResetPage() {
  const [next, setNext] = useState(noPassword);
  const token = location.hash.slice(1);
  const password = newPasswordOf(next);
  const reset = useMutation({ mutationFn: () => resetPassword(token, next.password) });
  return (
    <main className="mx-auto max-w-sm space-y-6 px-4 py-16">
      <Mark />
      <h1 className="text-xl font-semibold tracking-tight">Choose a new password</h1>
      {token === "" ? (
        <p className="text-sm text-soft">The link is not whole. Copy all of it from the message that brought it.</p>
      ) : reset.isSuccess ? (
        <Notice tone="calm" title="The password is changed.">
          <p>Every session of the account ended.</p>
          <Link href="/" look="strong" onClick={leave}>
            Sign in
          </Link>
        </Notice>
      ) : (
        <form
          className="space-y-5"
          onSubmit={(e) => {
            e.preventDefault();
            if (password !== undefined) reset.mutate();
          }}
        >
          <NewPassword next={next} onChange={setNext} />
          {reset.error ? <Trouble error={reset.error} /> : null}
          <Button look="strong" type="submit" disabled={password === undefined || reset.isPending}>
            {reset.isPending ? "One moment…" : "Set the password"}
          </Button>
        </form>
      )}
    </main>
  );
}

function leave(e: { preventDefault: () => void }): void {
  e.preventDefault();
  location.assign("/");
}
