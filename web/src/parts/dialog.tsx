import { type ReactNode, useEffect, useId, useRef } from "react";
import { Button } from "./button";
import { Icon } from "./icon";

type Props = { title: string; onClose: () => void; wide?: boolean; children: ReactNode };

/** A window over the page. Escape and a click beside it close it, and the keyboard goes back to where it was. */
export function Dialog({ title, onClose, wide = false, children }: Props) {
  const box = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = box.current;
    if (!dialog) return;
    if (typeof dialog.showModal === "function") dialog.showModal();
    else dialog.setAttribute("open", "");
    return () => {
      if (typeof dialog.close === "function") dialog.close();
    };
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes it, which the browser tells by onCancel
    <dialog
      ref={box}
      aria-labelledby={id}
      onCancel={(e) => {
        e.preventDefault();
        onClose();
      }}
      onClick={(e) => {
        if (e.target === box.current) onClose();
      }}
      className={`m-auto w-[calc(100%-2rem)] ${wide ? "max-w-4xl" : "max-w-lg"} rounded-xl border border-line bg-card p-0 text-ink shadow-xl backdrop:bg-black/40`}
    >
      <div className="flex items-center gap-3 border-b border-line px-5 py-3">
        <h2 id={id} className="text-base font-semibold">
          {title}
        </h2>
        <span className="ml-auto">
          <Button onClick={onClose} aria-label="Close">
            <Icon name="close" />
          </Button>
        </span>
      </div>
      <div className="space-y-4 px-5 py-4 text-sm">{children}</div>
    </dialog>
  );
}
