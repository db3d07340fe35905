import type { AnchorHTMLAttributes } from "react";
import { follow } from "./path";

const looks = {
  text: "text-accent underline decoration-accent/40 underline-offset-2 hover:decoration-accent",
  name: "font-medium text-ink underline-offset-2 hover:text-accent hover:underline wrap-break-word",
  plain: "",
  strong:
    "inline-flex h-9 items-center justify-center gap-1.5 rounded-lg bg-accent px-3.5 text-sm font-medium text-on-accent transition-colors hover:bg-accent-strong",
  button:
    "inline-flex h-8 items-center justify-center gap-1.5 rounded-lg border border-line bg-card px-2.5 text-sm text-soft transition-colors hover:border-edge hover:text-ink",
} as const;

type Props = AnchorHTMLAttributes<HTMLAnchorElement> & { href: string; look?: keyof typeof looks };

/** A link to a page of the console; it is followed without loading the page anew. */
export function Link({ href, look = "text", className = "", ...rest }: Props) {
  return (
    <a
      {...rest}
      href={href}
      onClick={(e) => {
        rest.onClick?.(e);
        if (!e.defaultPrevented) follow(e);
      }}
      className={`${looks[look]} ${className}`}
    />
  );
}
