import { Fragment } from "react";
import { Code } from "../../parts/code";

/** What people do before they use a kind, to unfold: sentences, with statements to copy. */
export function Setup({ steps, title }: { steps: readonly string[]; title: string }) {
  if (steps.length === 0) return null;
  return (
    <details className="max-w-2xl rounded-xl border border-line bg-card">
      <summary className="cursor-pointer rounded-xl px-4 py-3 text-sm font-medium hover:bg-sunken">
        Before you begin <span className="font-normal text-soft">(what {title} needs)</span>
      </summary>
      <ol className="list-decimal space-y-3 border-t border-line py-4 pr-4 pl-9 text-sm">
        {steps.map((step) => (
          <li key={step} className="space-y-2 break-words">
            {partsOf(step).map(({ text, isCode }) =>
              isCode ? (
                <Code key={text} text={text} name={`What ${title} needs`} />
              ) : (
                <Sentence key={text} text={text} />
              ),
            )}
          </li>
        ))}
      </ol>
    </details>
  );
}

/** The texts and fenced statements of a step, in their order. */
function partsOf(step: string): { text: string; isCode: boolean }[] {
  return step
    .split(/^```\w*\n([\s\S]*?)^```$/m)
    .map((text, i) => ({ text: text.trim(), isCode: i % 2 === 1 }))
    .filter((p) => p.text !== "");
}

/** A text with words in `code` and in **bold**. */
function Sentence({ text }: { text: string }) {
  return (
    <p>
      {text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((word, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: words have no identity and never move
        <Fragment key={i}>
          {word.startsWith("`") ? (
            <code className="rounded bg-sunken px-1 font-mono text-[13px] break-all">{word.slice(1, -1)}</code>
          ) : word.startsWith("**") ? (
            <strong>{word.slice(2, -2)}</strong>
          ) : (
            word
          )}
        </Fragment>
      ))}
    </p>
  );
}
