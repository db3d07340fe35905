import type { DeviceLogin } from "../../api/account";
import { Button } from "../../parts/button";
import { When } from "../../parts/when";
import { Trouble } from "../trouble";

/** Which program asks, from where and with which code, and the two answers. */
export function Asking({
  code,
  asks,
  email,
  pending,
  error,
  onDecide,
}: {
  code: string;
  asks: DeviceLogin;
  email: string;
  pending: boolean;
  error: Error | null;
  onDecide: (allow: boolean) => void;
}) {
  return (
    <div className="space-y-5">
      <p className="text-sm text-soft">
        A program asks to do in <span className="font-medium text-ink">{location.host}</span> all that you may, as{" "}
        <span className="font-medium text-ink">{email}</span>, for 90 days. Allow it only if you started it and it shows
        this code:
      </p>
      <p className="rounded-lg border border-line bg-sunken px-4 py-3 text-center font-mono text-2xl tracking-widest">
        {shown(code)}
      </p>
      <dl className="grid grid-cols-[auto_1fr] gap-x-6 gap-y-2 text-sm">
        <Fact name="Runs at" value={asks.device} />
        {asks.address ? <Fact name="Asked from" value={asks.address} /> : null}
        {asks.agent ? <Fact name="Program" value={asks.agent} /> : null}
        <dt className="text-soft">Asked</dt>
        <dd>
          <When at={asks.createdAt} />
        </dd>
      </dl>
      {error ? <Trouble error={error} /> : null}
      <div className="flex flex-wrap items-center gap-3">
        <Button look="strong" disabled={pending} onClick={() => onDecide(true)}>
          {pending ? "One moment…" : "Allow"}
        </Button>
        <Button disabled={pending} onClick={() => onDecide(false)}>
          Refuse
        </Button>
      </div>
    </div>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <>
      <dt className="text-soft">{name}</dt>
      <dd className="min-w-0 break-words">{value}</dd>
    </>
  );
}

/** A code as programs show it, however it was typed. */
function shown(code: string): string {
  const letters = code.toUpperCase().replaceAll(/[\s-]/g, "");
  return letters.length === 8 ? `${letters.slice(0, 4)}-${letters.slice(4)}` : code;
}
