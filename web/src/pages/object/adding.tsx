import type { ReactNode } from "react";
import { Button } from "../../parts/button";
import { Notice } from "../../parts/notice";
import { Spinner } from "../../parts/spinner";
import { Trouble } from "../trouble";

type Props = {
  act?: string;
  pending: boolean;
  disabled?: boolean;
  error: Error | null;
  /** Problems that no field of the form shows. */
  others: readonly string[];
  beside?: ReactNode;
};

/** The end of a form: what stands against it, and the button that puts it into the draft. */
export function Adding({ act = "Add to the draft", pending, disabled = false, error, others, beside }: Props) {
  return (
    <>
      {others.length > 0 ? (
        <Notice tone="bad" title={others[0] ?? ""}>
          {others.slice(1).map((text) => (
            <p key={text}>{text}</p>
          ))}
        </Notice>
      ) : null}
      {error ? <Trouble error={error} /> : null}
      <div className="flex flex-wrap items-center gap-3">
        <Button look="strong" type="submit" disabled={pending || disabled}>
          {pending ? <Spinner /> : null}
          {pending ? "Checking…" : act}
        </Button>
        {beside}
      </div>
    </>
  );
}
