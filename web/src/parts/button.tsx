import type { ButtonHTMLAttributes } from "react";

type Look = "strong" | "plain" | "danger";

const looks: Record<Look, string> = {
  strong:
    "h-9 bg-accent px-3.5 font-medium text-on-accent hover:bg-accent-strong disabled:opacity-60 disabled:hover:bg-accent",
  danger: "h-9 bg-bad px-3.5 font-medium text-card hover:opacity-90 disabled:opacity-60",
  plain: "h-8 border border-line bg-card px-2.5 text-soft hover:border-edge hover:text-ink disabled:opacity-60",
};

/** A button; plain ones stand beside content, a strong one is a page's main act. */
export function Button({ look = "plain", ...rest }: ButtonHTMLAttributes<HTMLButtonElement> & { look?: Look }) {
  return (
    <button
      type="button"
      {...rest}
      className={`inline-flex items-center justify-center gap-1.5 rounded-lg text-sm transition-colors ${looks[look]}`}
    />
  );
}
