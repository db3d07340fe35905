import { useState } from "react";
import type { Configured } from "../../draft/configured";
import type { Objects } from "../../draft/edits";
import { connectionKey } from "../../draft/edits";
import { useWorkspace } from "../../frame/place";
import { Button } from "../../parts/button";
import { go } from "../../parts/path";
import { Section } from "../../parts/section";
import { freeName } from "../object/kinds";

/** Gives a source another write key: beside the former one for as long as senders need, or at once. */
export function KeyRotation({ source, configured }: { source: Objects["source"]; configured: Configured }) {
  const workspace = useWorkspace();
  const [asking, setAsking] = useState(false);
  const overlap = () => {
    const name = freeName(
      `${source.name.slice(0, 58)}-next`,
      (configured.document.sources ?? []).map((s) => s.name),
    );
    const { id: _id, writeKey: _key, was: _was, secrets: _secrets, ...rest } = source;
    configured.edit("source", name, null, { ...rest, name });
    for (const c of (configured.document.connections ?? []).filter((x) => x.source === source.name))
      configured.edit("connection", connectionKey(name, c.destination), null, { ...c, source: name });
    go(workspace.path("sources", name));
  };
  const replace = () => {
    configured.edit("source", source.name, source, { ...source, writeKey: newKey() });
    setAsking(false);
  };
  return (
    <Section title="Write key" hint="whoever has it can send events to this source">
      <div className="max-w-2xl space-y-3 text-sm">
        <p>
          With overlap, a second source with the same settings and connections gets a key of its own. Move the senders
          to it, see here that nothing comes any more, then remove this one.
        </p>
        <div className="flex flex-wrap gap-2">
          <Button onClick={overlap} disabled={Object.keys(source.secrets ?? {}).length > 0}>
            Rotate with overlap
          </Button>
          <Button onClick={() => setAsking(true)}>Replace the key at once…</Button>
        </div>
        {asking ? (
          <div className="flex flex-wrap items-center gap-3 rounded-lg bg-warn-wash px-3 py-2">
            <span>From the moment you publish, everything that is sent with the former key is refused.</span>
            <Button onClick={replace}>Replace it</Button>
            <Button onClick={() => setAsking(false)}>Keep it</Button>
          </div>
        ) : null}
      </div>
    </Section>
  );
}

/** A write key of 160 random bits. */
function newKey(): string {
  const alphabet = "abcdefghijklmnopqrstuvwxyz234567";
  return `wk_${[...crypto.getRandomValues(new Uint8Array(32))].map((b) => alphabet[b & 31]).join("")}`;
}
