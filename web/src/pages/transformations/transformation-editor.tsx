import { type KeyboardEvent, useState } from "react";
import { Problem } from "../../api/problem";
import type { Configured } from "../../draft/configured";
import { useWorkspace } from "../../frame/place";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { Difference } from "../../parts/difference";
import { Editor } from "../../parts/editor";
import { Input } from "../../parts/input";
import { Notice } from "../../parts/notice";
import { When } from "../../parts/when";
import { AccessOf } from "../access/access-of";
import { Drafted } from "../object/drafted";
import { wrongName } from "../object/kinds";
import { Removal } from "../object/removal";
import { Attachments } from "./attachments";
import { CodeProblems } from "./code-problems";
import { marksOf } from "./edit";
import { Sample } from "./sample";
import { useEditing } from "./use-editing";
import { useSample } from "./use-sample";
import { Versions } from "./versions";

type Props = { configured: Configured; name: string; onAdded: (name: string) => void };

/** One transformation to write, to try and to put into the draft; name is "" for a new one. */
export function TransformationEditor({ configured, name, onAdded }: Props) {
  const workspace = useWorkspace();
  const editing = useEditing(configured, name, onAdded);
  const { typed, put, replace, shown, changed, problems, add, former, published } = editing;
  const sampling = useSample(workspace.name, typed.code, configured.document.libraries ?? []);
  const [beside, setBeside] = useState<"" | "difference" | "versions" | "access">("");
  const taken = (configured.document.transformations ?? []).map((t) => t.name).filter((n) => n !== name);
  const badName = typed.name === "" ? "" : wrongName(typed.name, taken);
  const may = changed && typed.name !== "" && badName === "" && !add.isPending;
  const keyed = (e: KeyboardEvent) => {
    if (!(e.ctrlKey || e.metaKey) || e.altKey || e.shiftKey) return;
    if (e.key !== "s" && e.key !== "Enter") return;
    e.preventDefault();
    e.stopPropagation(); // the editor would break the line
    if (e.key === "s" && may) add.mutate();
    if (e.key === "Enter" && !sampling.run.isPending) sampling.run.mutate();
  };
  return (
    <section
      aria-label={name === "" ? "New transformation" : `Transformation ${name}`}
      className="min-w-0 space-y-5"
      onKeyDownCapture={keyed}
    >
      {former ? (
        <Notice tone="calm" title="There is code here that was not added to the draft.">
          <p>
            It was typed in this browser <When at={former.at} />.
          </p>
          <div className="flex flex-wrap gap-2">
            <Button
              onClick={() => {
                replace(former.value);
                editing.dropFormer();
              }}
            >
              Bring it back
            </Button>
            <Button
              onClick={() => {
                if (!changed) editing.keep(undefined);
                editing.dropFormer();
              }}
            >
              Discard it
            </Button>
          </div>
        </Notice>
      ) : null}
      <div className="flex flex-wrap items-end gap-3">
        <div className="w-full max-w-sm">
          <Input
            label="Name"
            value={typed.name}
            onChange={(e) => put({ ...typed, name: e.target.value })}
            {...(badName ? { problem: badName } : {})}
          />
        </div>
        <div className="flex min-h-9 flex-wrap items-center gap-2">
          {name === "" ? null : (
            <>
              <Drafted configured={configured} kind="transformation" name={name} />
              {published ? <Button onClick={() => setBeside("difference")}>Difference</Button> : null}
              {published ? <Button onClick={() => setBeside("versions")}>Versions</Button> : null}
              {published ? <Button onClick={() => setBeside("access")}>Access</Button> : null}
              <Removal
                kind="transformation"
                name={name}
                configured={configured}
                after={workspace.path("transformations")}
              />
            </>
          )}
        </div>
      </div>
      <div className="grid gap-5 lg:grid-cols-2">
        <div className="min-w-0 space-y-3">
          <p aria-hidden="true" className="text-sm font-medium">
            Code
          </p>
          <Editor
            key={shown}
            name={name === "" ? "Code of the new transformation" : `Code of ${name}`}
            initial={typed.code}
            onChange={(code) => put({ ...typed, code })}
            marks={marksOf(problems)}
          />
          <Attachments
            document={configured.document}
            name={name}
            on={typed.on}
            onChange={(on) => put({ ...typed, on })}
            connections={workspace.path("connections")}
          />
          {add.error ? <CodeProblems error={add.error} own="" /> : null}
          {problems.length > 0 ? (
            <CodeProblems
              error={new Problem(422, "", "", [...problems])}
              own={problems[0]?.path.replace(/\..*$/, "") ?? ""}
            />
          ) : null}
          <div className="flex flex-wrap items-center gap-3">
            <Button look="strong" disabled={!may} onClick={() => add.mutate()} title="Ctrl or ⌘ and S">
              {add.isPending ? "Checking…" : "Add to the draft"}
            </Button>
            {changed && name !== "" ? (
              <span className="text-sm text-soft">Not in the draft yet; kept in this browser.</span>
            ) : null}
          </div>
        </div>
        <Sample name={typed.name} sampling={sampling} />
      </div>
      {beside === "difference" ? (
        <Dialog title={`What changes in ${name}`} onClose={() => setBeside("")} wide>
          <p className="text-soft">The published code against the editor:</p>
          <Difference before={published?.code ?? ""} after={typed.code} name="The published code against the editor" />
        </Dialog>
      ) : null}
      {beside === "versions" ? (
        <Versions
          name={published?.name ?? name}
          code={typed.code}
          onClose={() => setBeside("")}
          onTake={(code) => {
            replace({ ...typed, code });
            setBeside("");
          }}
        />
      ) : null}
      {beside === "access" ? (
        <Dialog title={`Access to ${name}`} onClose={() => setBeside("")} wide>
          <AccessOf kind="transformation" name={name} id={published?.id} />
        </Dialog>
      ) : null}
    </section>
  );
}
