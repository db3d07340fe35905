import { useMutation } from "@tanstack/react-query";
import { beginProvider } from "../../api/client";
import { Button } from "../../parts/button";
import { Command } from "../../parts/command";
import { Dialog } from "../../parts/dialog";
import { Trouble } from "../trouble";

/** Signs in at the provider, which is the whole test of it. */
export function Trying({ organization, onClose }: { organization: string; onClose: () => void }) {
  const begin = useMutation({
    mutationFn: () => beginProvider(organization, location.pathname),
    onSuccess: (url) => location.assign(url),
  });
  return (
    <Dialog title="Try the sign-in" onClose={onClose}>
      <p>
        This browser goes to the provider and comes back to this page, signed in as who the provider says you are. If
        anything fails you are told what, and stay who you are.
      </p>
      {begin.error ? <Trouble error={begin.error} /> : null}
      <div className="flex gap-2">
        <Button look="strong" onClick={() => begin.mutate()} disabled={begin.isPending}>
          {begin.isPending ? "One moment…" : "Go to the provider"}
        </Button>
        <Button onClick={onClose}>Cancel</Button>
      </div>
      <p className="text-soft">Others sign in there from this address:</p>
      <Command
        text={`${location.origin}/?organization=${encodeURIComponent(organization)}`}
        name="the address at which members sign in"
      />
    </Dialog>
  );
}
