import type { Pull } from "../../api/pulls";
import { count } from "../flow";
import { Fact } from "./fact";

/** How far a stream of changes is behind its server, and what that keeps for it. */
export function Behind({ behind: b }: { behind: NonNullable<Pull["behind"]> }) {
  const kept = b.limit > 0 ? `${size(b.kept)} of ${size(b.limit)} at most` : size(b.kept);
  return (
    <>
      <Fact title="Behind" text={b.bytes === 0 ? "Nothing waits" : `${size(b.bytes)}, ${count(b.seconds)} s`} />
      <Fact title="Kept by the server" text={`${kept}, ${b.state}`} />
      {b.code === "" ? null : (
        <div className="sm:col-span-2">
          <dt className="text-xs text-soft">Slot</dt>
          <dd className="text-bad">
            {b.code === "source_slot_lost"
              ? "The server gave up changes that were not read: the tables are read anew."
              : "Changes have been waiting for long, or many are kept. See that the plane reaches the server before it gives them up."}
          </dd>
        </div>
      )}
    </>
  );
}

/** A number of bytes in words. */
function size(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let n = bytes;
  let i = 0;
  while (n >= 1024 && i < units.length - 1) {
    n /= 1024;
    i++;
  }
  return `${i === 0 ? n : n.toFixed(1)} ${units[i]}`;
}
