import { lazy, Suspense } from "react";
import { Waiting } from "./waiting";

const CodeMirror = lazy(() => import("./code-mirror").then((m) => ({ default: m.CodeMirror })));

/** Something wrong with a text; line and column count from 1. */
export type Mark = { line: number; column: number; text: string };

export type EditorProps = {
  name: string;
  initial: string;
  onChange: (text: string) => void;
  language?: "javascript" | "sql" | "yaml" | "rego";
  /** What is wrong with the text, shown at its place. */
  marks?: readonly Mark[];
  /** A box of a few lines, in place of a tall one. */
  low?: boolean;
};

/** An editor of code, loaded when it is first needed. initial is only read once: give it a key. */
export function Editor(props: EditorProps) {
  return (
    <Suspense fallback={<Waiting what="the editor" />}>
      <CodeMirror {...props} />
    </Suspense>
  );
}
