import { Input } from "../../parts/input";

export const noPassword = { password: "", again: "" };

const shortest = 12; // bytes of a new password
const longest = 1024;

type Props = { next: typeof noPassword; onChange: (next: typeof noPassword) => void };

/** A new password, twice. */
export function NewPassword({ next, onChange }: Props) {
  const wrong = next.password !== "" && !isGood(next.password);
  const differs = next.again !== "" && next.again !== next.password;
  return (
    <>
      <Input
        label="New password"
        type="password"
        autoComplete="new-password"
        hint={`${shortest} characters at least. A long sentence is better than a short riddle.`}
        {...(wrong ? { problem: `It has ${shortest} characters at least and ${longest} at most.` } : {})}
        value={next.password}
        onChange={(e) => onChange({ ...next, password: e.target.value })}
      />
      <Input
        label="New password again"
        type="password"
        autoComplete="new-password"
        {...(differs ? { problem: "The two differ." } : {})}
        value={next.again}
        onChange={(e) => onChange({ ...next, again: e.target.value })}
      />
    </>
  );
}

/** The password, when it is good and the same twice. */
export function newPasswordOf({ password, again }: typeof noPassword): string | undefined {
  return isGood(password) && password === again ? password : undefined;
}

function isGood(password: string): boolean {
  const size = new TextEncoder().encode(password).length;
  return size >= shortest && size <= longest;
}
