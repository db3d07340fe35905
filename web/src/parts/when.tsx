import { ago } from "./time";

const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** A time for people: how long ago it is, or the day; the whole of it, local and in UTC, on hover. */
export function When({ at, whole = false }: { at: string; whole?: boolean }) {
  const time = new Date(at);
  if (Number.isNaN(time.getTime())) return <>{at}</>;
  return (
    <time
      dateTime={at}
      title={`${local.format(time)} (${time.toISOString().slice(0, 19).replace("T", " ")} UTC)`}
      className="whitespace-nowrap"
    >
      {whole ? local.format(time) : ago(time, new Date())}
    </time>
  );
}
