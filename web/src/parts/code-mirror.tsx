import { javascript } from "@codemirror/lang-javascript";
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { tags } from "@lezer/highlight";
import { basicSetup, EditorView } from "codemirror";
import { useEffect, useRef } from "react";
import type { EditorProps } from "./editor";

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.controlKeyword], color: "var(--color-accent)" },
  { tag: [tags.string, tags.regexp], color: "var(--color-good)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--color-warn)" },
  { tag: tags.comment, color: "var(--color-soft)" },
  { tag: tags.invalid, color: "var(--color-bad)" },
]);

const look = EditorView.theme({
  "&": { color: "var(--color-ink)", backgroundColor: "var(--color-card)", fontSize: "13px", height: "22rem" },
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
export function CodeMirror({ name, initial, onChange }: EditorProps) {
  const host = useRef<HTMLDivElement>(null);
  const changed = useRef(onChange);
  useEffect(() => {
    changed.current = onChange;
  }, [onChange]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the text is the editor's own from then on
  useEffect(() => {
    if (!host.current) return;
    const root = host.current.shadowRoot ?? host.current.attachShadow({ mode: "open" });
    const view = new EditorView({
      doc: initial,
      root,
      parent: root,
      extensions: [
        basicSetup,
        javascript(),
        syntaxHighlighting(colours),
        look,
        EditorView.contentAttributes.of({ "aria-label": name }),
        EditorView.updateListener.of((u) => {
          if (u.docChanged) changed.current(u.state.doc.toString());
        }),
      ],
    });
    return () => view.destroy();
  }, [name]);
  return <div ref={host} className="min-h-88 overflow-hidden rounded-lg border border-edge" />;
}
