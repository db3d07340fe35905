import { type ReactNode, useEffect } from "react";
import { Link } from "./link";

type Props = {
  title: string;
  /** What the page is about, beside its title in the window's title. */
  of?: string;
  hint?: ReactNode;
  /** Beside the title: badges. */
  beside?: ReactNode;
  actions?: ReactNode;
  /** The page above this one. */
  up?: { href: string; title: string };
  children: ReactNode;
};

/** A page under its title, which is the window's too. */
export function Page({ title, of, hint, beside, actions, up, children }: Props) {
  useEffect(() => {
    document.title = [title, of ?? up?.title, "Weir"].filter(Boolean).join(" · ");
  }, [title, of, up?.title]);
  return (
    <div className="space-y-6">
      <header className="flex flex-wrap items-start gap-x-4 gap-y-3">
        <div className="min-w-0 flex-1 space-y-1">
          {up ? (
            <Link href={up.href} look="plain" className="text-sm text-soft hover:text-ink">
              {up.title} /
            </Link>
          ) : null}
          <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
            <h1 className="text-xl font-semibold tracking-tight break-words">{title}</h1>
            {beside}
          </div>
          {hint ? <p className="max-w-3xl text-sm text-soft">{hint}</p> : null}
        </div>
        {actions ? <div className="flex flex-wrap items-center gap-2">{actions}</div> : null}
      </header>
      {children}
    </div>
  );
}
