import { LanguageSupport, StreamLanguage } from "@codemirror/language";

const words = /^(?:package|import|if|else|contains|in|every|some|not|with|as|default)\b/;

/** Colours of Rego: enough to read it by. */
export function rego(): LanguageSupport {
  return new LanguageSupport(
    StreamLanguage.define({
      name: "rego",
      token: (s) => {
        if (s.eatSpace()) return null;
        if (s.match(/^#.*/)) return "comment";
        if (s.match(/^"(?:[^"\\]|\\.)*"?/) || s.match(/^`[^`]*`?/)) return "string";
        if (s.match(/^-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/)) return "number";
        if (s.match(words)) return "keyword";
        if (s.match(/^(?:true|false|null)\b/)) return "bool";
        if (s.match(/^[A-Za-z_][A-Za-z0-9_]*/)) return null;
        s.next();
        return null;
      },
      languageData: { commentTokens: { line: "#" } },
    }),
  );
}
