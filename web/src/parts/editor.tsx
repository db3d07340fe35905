import { lazy, Suspense } from "react";
import { Waiting } from "./waiting";

const CodeMirror = lazy(() => import("./code-mirror").then((m) => ({ default: m.CodeMirror })));

export type EditorProps = { name: string; initial: string; onChange: (text: string) => void };

/** An editor of JavaScript, loaded when it is first needed. initial is only read once: give it a key. */
export function Editor(props: EditorProps) {
  return (
    <Suspense fallback={<Waiting what="the editor" />}>
      <CodeMirror {...props} />
    </Suspense>
  );
}
