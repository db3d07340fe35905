import { HighlightStyle, type LanguageSupport, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic, lintGutter, setDiagnostics } from "@codemirror/lint";
import { Compartment, type EditorState } from "@codemirror/state";
import { tags } from "@lezer/highlight";
import { basicSetup, EditorView } from "codemirror";
import { useEffect, useRef } from "react";
import type { EditorProps, Mark } from "./editor";

const languages: Record<NonNullable<EditorProps["language"]>, () => Promise<LanguageSupport>> = {
  javascript: () => import("@codemirror/lang-javascript").then((m) => m.javascript()),
  sql: () => import("@codemirror/lang-sql").then((m) => m.sql({ dialect: m.PostgreSQL })),
  rego: () => import("./rego").then((m) => m.rego()),
  yaml: () => import("@codemirror/lang-yaml").then((m) => m.yaml()),
};

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.controlKeyword], color: "var(--color-accent)" },
  { tag: [tags.string, tags.regexp], color: "var(--color-good)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--color-warn)" },
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--color-accent)" },
  { tag: tags.comment, color: "var(--color-soft)" },
  { tag: tags.invalid, color: "var(--color-bad)" },
]);

const look = EditorView.theme({
  "&": {
    color: "var(--color-ink)",
    backgroundColor: "var(--color-card)",
    fontSize: "13px",
    height: "var(--editor-height)",
  },
  "&.cm-focused": { outline: "2px solid var(--color-accent)", outlineOffset: "1px" },
  ".cm-scroller": { fontFamily: "var(--font-mono)", lineHeight: "1.6" },
  ".cm-content": { caretColor: "var(--color-ink)" },
  ".cm-cursor": { borderLeftColor: "var(--color-ink)" },
  ".cm-gutters": { color: "var(--color-soft)", backgroundColor: "var(--color-sunken)", borderRight: "none" },
  ".cm-activeLine, .cm-activeLineGutter": {
    backgroundColor: "color-mix(in srgb, var(--color-accent) 7%, transparent)",
  },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: "var(--color-line)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "color-mix(in srgb, var(--color-accent) 25%, transparent)",
  },
  ".cm-tooltip, .cm-panels": { color: "var(--color-ink)", backgroundColor: "var(--color-sunken)" },
});

/** The editor itself. It lives in a shadow root: there its styles are sheets, which a content policy without inline styles allows. */
export function CodeMirror({ name, initial, onChange, language = "javascript", marks, low = false }: EditorProps) {
  const host = useRef<HTMLDivElement>(null);
  const editor = useRef<EditorView>(null);
  const changed = useRef(onChange);
  useEffect(() => {
    changed.current = onChange;
  }, [onChange]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the text is the editor's own from then on
  useEffect(() => {
    if (!host.current) return;
    const root = host.current.shadowRoot ?? host.current.attachShadow({ mode: "open" });
    const words = new Compartment();
    const view = new EditorView({
      doc: initial,
      root,
      parent: root,
      extensions: [
        basicSetup,
        lintGutter(),
        words.of([]),
        syntaxHighlighting(colours),
        look,
        EditorView.contentAttributes.of({ "aria-label": name, tabindex: "0" }),
        EditorView.updateListener.of((u) => {
          if (u.docChanged) changed.current(u.state.doc.toString());
        }),
      ],
    });
    editor.current = view;
    let open = true;
    void languages[language]().then((support) => {
      if (open) view.dispatch({ effects: words.reconfigure(support) });
    });
    return () => {
      open = false;
      editor.current = null;
      view.destroy();
    };
  }, [name, language]);
  useEffect(() => {
    const view = editor.current;
    if (view) view.dispatch(setDiagnostics(view.state, (marks ?? []).map(diagnostic(view.state))));
  }, [marks]);
  return (
    <div
      ref={host}
      className={`overflow-hidden rounded-lg border border-edge ${low ? "min-h-44 [--editor-height:11rem]" : "min-h-96 [--editor-height:24rem]"}`}
    />
  );
}

/** A mark at its place in a text, which may be shorter by now: from there to the word's end. */
function diagnostic(state: EditorState): (m: Mark) => Diagnostic {
  return ({ line, column, text }) => {
    const at = state.doc.line(Math.min(Math.max(1, line), state.doc.lines));
    const from = Math.min(at.from + Math.max(0, column - 1), at.to);
    const word = state.wordAt(from);
    return { from, to: Math.max(from, word?.to ?? Math.min(from + 1, at.to)), severity: "error", message: text };
  };
}
