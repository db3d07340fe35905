import { Fragment, type ReactNode } from "react";
import { type Choice, type Part, pathOf } from "./layout";

/** Settings and secrets of which one way is needed, each way under the other. */
export function ChoiceGroup({ choice, draw }: { choice: Choice; draw: (part: Part) => ReactNode }) {
  return (
    <fieldset className="min-w-0 space-y-4">
      <legend className="mb-3 text-sm font-semibold">{choice.doc}</legend>
      {choice.ways.map((way, i) => (
        <Fragment key={way.map(pathOf).join()}>
          {i > 0 ? (
            <p className="flex items-center gap-3 text-xs text-soft before:h-px before:flex-1 before:bg-line after:h-px after:flex-1 after:bg-line">
              or
            </p>
          ) : null}
          {way.map(draw)}
        </Fragment>
      ))}
    </fieldset>
  );
}
