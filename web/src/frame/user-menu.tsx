import { useMutation, useQueryClient } from "@tanstack/react-query";
import { logout, type Me } from "../api/client";
import { forgetCapabilities } from "../api/plane";
import { Icon } from "../parts/icon";
import { Link } from "../parts/link";
import { keys } from "../queries";
import { Menu } from "./menu";
import { type Theme, useTheme } from "./theme";

const themes: { theme: Theme; title: string }[] = [
  { theme: "", title: "As the system" },
  { theme: "light", title: "Light" },
  { theme: "dark", title: "Dark" },
];

/** Who is signed in, the colours, and the way out. */
export function UserMenu({ me }: { me: Me }) {
  const queries = useQueryClient();
  const [theme, setTheme] = useTheme();
  const leave = useMutation({
    mutationFn: logout,
    onSuccess: () => {
      forgetCapabilities();
      queries.removeQueries({ predicate: (q) => q.queryKey[0] !== keys.me[0] });
      queries.setQueryData(keys.me, null);
    },
  });
  return (
    <Menu label={<Icon name="user" large />} name={`Signed in as ${me.email}`}>
      {(close) => (
        <div className="space-y-2">
          <p className="px-2 pt-1 font-medium break-all">{me.email}</p>
          <fieldset className="border-t border-line px-2 pt-2">
            <legend className="sr-only">Colours</legend>
            {themes.map((t) => (
              <label key={t.theme} className="flex h-8 items-center gap-2">
                <input
                  type="radio"
                  name="theme"
                  checked={t.theme === theme}
                  onChange={() => setTheme(t.theme)}
                  className="accent-accent"
                />
                {t.title}
              </label>
            ))}
          </fieldset>
          <div className="border-t border-line pt-1.5">
            <Link
              href="/account"
              look="plain"
              onClick={close}
              className="flex h-8 items-center gap-2 rounded-lg px-2 hover:bg-sunken"
            >
              <Icon name="user" />
              Account
            </Link>
            <button
              type="button"
              onClick={() => leave.mutate()}
              disabled={leave.isPending}
              className="flex h-8 w-full items-center gap-2 rounded-lg px-2 text-left hover:bg-sunken"
            >
              <Icon name="leave" />
              Sign out
            </button>
          </div>
          {leave.error ? (
            <p role="alert" className="px-2 text-bad">
              {leave.error.message}
            </p>
          ) : null}
        </div>
      )}
    </Menu>
  );
}
