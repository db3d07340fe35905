import { Check } from "../../parts/input";
import { Notice } from "../../parts/notice";
import { plain } from "../profiles/words";
import type { Proposal } from "./propose";

type Props = { beside: NonNullable<Proposal["beside"]>; checked: boolean; onChange: (checked: boolean) => void };

/** Offers the table that says whose the identifiers of a new kind are: without it they join nobody. */
export function BesideNotice({ beside: { input, column, match }, checked, onChange }: Props) {
  const others = Object.keys(input.ids ?? {})
    .slice(1)
    .map(plain)
    .join(" and ");
  return (
    <Notice tone="calm" title={`${column} alone says nobody's ${others}; the table ${input.from} does.`}>
      <p>
        {match.hit} of {match.of} values of {column} are in {input.from}, which has {others} beside them. With both,
        these rows belong to customers whom you know.
      </p>
      <Check
        label={`Add ${input.from} as well`}
        hint={`As the input ${input.name}.`}
        checked={checked}
        onChange={onChange}
      />
    </Notice>
  );
}
