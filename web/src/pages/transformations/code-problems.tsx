import { Problem } from "../../api/problem";
import { Notice } from "../../parts/notice";
import { Trouble } from "../trouble";
import { placed } from "./edit";

/** Why code was refused, each problem at its line and column; own is the path of the code at hand. */
export function CodeProblems({ error, own }: { error: Error; own: string }) {
  if (!(error instanceof Problem) || error.fields.length === 0) return <Trouble error={error} />;
  return (
    <Notice tone="bad" title="It is refused as it is. Correct this, then try again:">
      <ul className="list-disc space-y-1 pl-5">
        {error.fields.map((f) => (
          <li key={`${f.path} ${f.text}`} className="break-words">
            {placed(f, own)}
          </li>
        ))}
      </ul>
    </Notice>
  );
}
