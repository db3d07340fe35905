import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { type Language, tryPolicy } from "../../api/policies";
import { useWorkspaces } from "../../frame/workspaces";
import { Button } from "../../parts/button";
import { Choice } from "../../parts/choice";
import { Notice } from "../../parts/notice";
import { Section } from "../../parts/section";

type Props = { name: string; language: Language; text: string; onBroken: (error: Error | null) => void };

/** What the policy, as it is in the editor, has against a workspace as it is. */
export function TryPolicy({ name, language, text, onBroken }: Props) {
  const all = useWorkspaces().data ?? [];
  const [chosen, setChosen] = useState("");
  const workspace = chosen || (all[0]?.name ?? "");
  const [asked, setAsked] = useState("");
  const test = useMutation({
    mutationFn: () => tryPolicy(workspace, name, language, text),
    onMutate: () => setAsked(text),
    onSuccess: () => onBroken(null),
    onError: onBroken,
  });
  if (all.length === 0) return null;
  const v = asked === text ? test.data : undefined;
  return (
    <Section title="Test" hint="what it would say if the workspace, as it is, were published anew; nothing is kept">
      <div className="flex max-w-xl flex-wrap items-end gap-3">
        <Choice
          label="Workspace"
          value={workspace}
          values={all.map((w) => w.name)}
          onChange={(w) => {
            setChosen(w);
            test.reset();
          }}
        />
        <Button onClick={() => test.mutate()} disabled={test.isPending}>
          {test.isPending ? "Asking…" : "Test it"}
        </Button>
      </div>
      {v && v.problems.length === 0 && v.needs.length === 0 ? (
        <Notice tone="calm" title={`It lets ${workspace} pass.`} />
      ) : null}
      {v && v.problems.length > 0 ? (
        <Notice tone="bad" title={`It denies ${workspace}.`}>
          <ul className="space-y-1">
            {v.problems.map((p) => (
              <li key={`${p.path} ${p.code} ${p.text}`}>
                {p.path ? <code className="font-mono text-[13px]">{p.path}</code> : null} {p.text}
              </li>
            ))}
          </ul>
        </Notice>
      ) : null}
      {v && v.needs.length > 0 ? (
        <Notice tone="warn" title="It asks for another person.">
          <ul className="space-y-1">
            {v.needs.map((n) => (
              <li key={n.text}>{n.text}</li>
            ))}
          </ul>
        </Notice>
      ) : null}
    </Section>
  );
}
