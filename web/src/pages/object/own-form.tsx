import { useMemo, useState } from "react";
import { Problem } from "../../api/problem";
import type { Spec } from "../../api/tenants";
import type { Configured } from "../../draft/configured";
import type { Objects } from "../../draft/edits";
import { Editor } from "../../parts/editor";
import { Notice } from "../../parts/notice";
import { Section } from "../../parts/section";
import { useSettled } from "../../parts/settled";
import { Trouble } from "../trouble";
import { freeName, ownType, useOwnSpec } from "./kinds";
import { ObjectForm } from "./object-form";
import { examples, specMarks, specProblems, told } from "./own-spec";

type Holder = Objects["source"] | Objects["destination"];

type Props = {
  kind: "source" | "destination";
  /** The object as the draft has it; absent for a new one. */
  opened?: Holder;
  isNew: boolean;
  configured: Configured;
  act: string;
  onDone: (object: Holder, configured: Configured) => void;
};

/** A source or destination of a kind of one's own: its spec as text, and the form that the spec declares. */
export function OwnForm({ kind, opened, isNew, configured, act, onDone }: Props) {
  const [text, setText] = useState(opened?.spec ?? examples[kind]);
  const settled = useSettled(text);
  const read = useOwnSpec(kind, settled);
  const former = useOwnSpec(kind, opened?.spec ?? "");
  const [good, setGood] = useState<Spec>(); // the form stays while its spec is rewritten
  if (read.data && read.data !== good) setGood(read.data);
  const wrong = read.error instanceof Problem && read.error.status === 422 ? read.error : undefined;
  const problems = useMemo(() => (wrong ? ofProblem(wrong) : []), [wrong]);
  const marks = useMemo(() => specMarks(problems, settled), [problems, settled]);
  const isRead = text === settled && read.data !== undefined;
  const taken = (configured.document[kind === "source" ? "sources" : "destinations"] ?? []).map((o) => o.name);
  const at = isNew && !opened ? { name: freeName(good?.name ?? ownType, taken), type: ownType } : opened;
  return (
    <div className="space-y-8">
      <div className="max-w-4xl">
        <Section title="Spec" hint="What it needs to know, and what becomes of events. It is checked as you type.">
          <Editor name="Spec" language="yaml" initial={text} onChange={setText} marks={marks} />
          <div aria-live="polite" className="space-y-3">
            {problems.length > 0 ? (
              <Notice tone="bad" title={problems.length === 1 ? "The spec has a problem." : "The spec has problems."}>
                <ul aria-label="Problems of the spec" className="space-y-1">
                  {problems.map((p) => (
                    <li key={`${p.line} ${p.path} ${p.text}`} className="break-words">
                      {p.line > 0 ? <span className="font-medium">Line {p.line}, </span> : null}
                      {told(p)}
                    </li>
                  ))}
                </ul>
              </Notice>
            ) : null}
            {read.error && !wrong ? <Trouble error={read.error} onRetry={() => void read.refetch()} /> : null}
            {isRead ? <p className="text-sm text-good">{declares(read.data)}</p> : null}
            {text.trim() === "" ? <p className="text-sm text-soft">Give it a spec.</p> : null}
          </div>
        </Section>
      </div>
      {good && at ? (
        <Section title="Settings and secrets" hint="As the spec declares them.">
          <ObjectForm
            kind={kind}
            spec={good}
            opened={at}
            isNew={isNew}
            configured={configured}
            act={act}
            onDone={onDone}
            own={{
              text,
              former: former.data,
              hindrance: isRead
                ? former.isFetching
                  ? "The former spec is read…"
                  : ""
                : "The spec has to be right first.",
            }}
          />
        </Section>
      ) : null}
    </div>
  );
}

function ofProblem(p: Problem) {
  return p.fields.length > 0 ? specProblems(p.fields) : [{ path: "", line: 0, text: p.message }];
}

/** What a spec that is right declares, in a sentence or two. */
function declares(s: Spec): string {
  const places = Object.values(s.base ?? {}).join(" or ");
  return `The spec of ${s.title} is right.${places ? ` It reaches ${places}.` : ""}`;
}
