import { useSyncExternalStore } from "react";

const kept = "weir theme";
const changed = "weir:theme";
export type Theme = "" | "light" | "dark";

function chosen(): Theme {
  const text = localStorage.getItem(kept);
  return text === "light" || text === "dark" ? text : "";
}

/** Draws the console in the colours that were chosen; without a choice, in the system's. */
export function applyTheme(): void {
  const theme = chosen();
  if (theme === "") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

function put(theme: Theme): void {
  if (theme === "") localStorage.removeItem(kept);
  else localStorage.setItem(kept, theme);
  applyTheme();
  dispatchEvent(new Event(changed));
}

export function useTheme(): [Theme, (theme: Theme) => void] {
  const theme = useSyncExternalStore((notify) => {
    addEventListener(changed, notify);
    return () => removeEventListener(changed, notify);
  }, chosen);
  return [theme, put];
}
