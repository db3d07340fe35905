import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Problem } from "../../api/problem";
import type { Preview } from "../../api/profiles";
import { Notice } from "../../parts/notice";
import { Spinner } from "../../parts/spinner";
import { PlaneTrouble } from "../plane-trouble";

type Props = {
  preview: UseQueryResult<Preview>;
  /** Why nothing is asked yet; "" when it is. */
  needs: string;
  command: string;
  children: (p: Preview) => ReactNode;
};

/** A preview beside its form: it waits for the form, is on its way, failed, or is there. */
export function PreviewFrame({ preview, needs, command, children }: Props) {
  const { data, error } = preview;
  return (
    <section aria-label="Preview" className="space-y-4 rounded-xl border border-line bg-card p-5 shadow-xs">
      <h2 className="flex items-center gap-2 text-base font-semibold">
        Preview {preview.isFetching ? <Spinner /> : null}
      </h2>
      {needs !== "" ? <p className="text-sm text-soft">{needs}</p> : null}
      {needs === "" && error ? <Failed error={error} command={command} onRetry={() => preview.refetch()} /> : null}
      {needs === "" && !error && !data ? (
        <p role="status" className="text-sm text-soft">
          Counting…
        </p>
      ) : null}
      {needs === "" && data && !error ? children(data) : null}
    </section>
  );
}

function Failed({ error, command, onRetry }: { error: Error; command: string; onRetry: () => void }) {
  if (error instanceof Problem && error.status === 404)
    return (
      <Notice tone="calm" title="There is nothing to count yet.">
        <p>These profiles are a draft. Publish them, and previews show numbers from then on.</p>
      </Notice>
    );
  if (error instanceof Problem && error.fields.length > 0)
    return (
      <Notice tone="warn" title="This cannot be counted yet.">
        {error.fields.map((f) => (
          <p key={`${f.path} ${f.code}`}>{f.text}</p>
        ))}
      </Notice>
    );
  return <PlaneTrouble error={error} what="previews" command={command} onRetry={onRetry} />;
}
