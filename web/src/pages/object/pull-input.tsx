import { useState } from "react";
import type { components } from "../../api/schema.gen";
import type { Spec } from "../../api/tenants";
import { Check, Input, Select } from "../../parts/input";

type Settings = components["schemas"]["Pull"];
type Change = { [K in keyof Settings]?: Settings[K] | undefined };
type Props = {
  streams: NonNullable<Spec["streams"]>;
  pull: Settings | undefined;
  onChange: (pull: Settings | undefined) => void;
  problem: string | undefined;
};

/** Which rows of another system are pulled, and when. */
export function PullInput({ streams, pull, onChange, problem }: Props) {
  const [by, setBy] = useState<"" | "every" | "cron">(pull?.cron ? "cron" : pull?.every ? "every" : "");
  const usual = streams.filter((s) => !s.off).map((s) => s.name);
  const chosen = pull?.streams ?? usual;
  const put = (change: Change) => {
    const next = Object.entries({ ...pull, ...change }).filter(([, v]) => v !== undefined && v !== "" && v !== false);
    onChange(next.length === 0 ? undefined : (Object.fromEntries(next) as Settings));
  };
  const choose = (name: string, on: boolean) => {
    const next = streams.map((s) => s.name).filter((n) => (n === name ? on : chosen.includes(n)));
    put({ streams: next.join() === usual.join() ? undefined : next });
  };
  return (
    <section aria-label="What is pulled" className="space-y-5 rounded-xl border border-line p-4">
      {streams.length > 0 ? (
        <fieldset className="space-y-2">
          <legend className="text-sm font-medium">Streams</legend>
          {streams.map((s) => (
            <Check
              key={s.name}
              label={s.name}
              hint={s.doc}
              checked={chosen.includes(s.name)}
              onChange={(on) => choose(s.name, on)}
            />
          ))}
        </fieldset>
      ) : null}
      <div className="grid gap-4 sm:grid-cols-2">
        <Select
          label="How often"
          value={by}
          {...(by === "" ? { hint: "Streams that are read whole each time, once a day." } : {})}
          values={[
            { value: "", title: "Every 15 minutes" },
            { value: "every", title: "At another interval" },
            { value: "cron", title: "At set times (cron)" },
          ]}
          onChange={(to) => {
            if (to !== "" && to !== "every" && to !== "cron") return;
            setBy(to);
            put({ every: to === "every" ? "1h" : undefined, cron: to === "cron" ? "0 * * * *" : undefined });
          }}
        />
        {by === "every" ? (
          <Input
            label="Every"
            hint="Such as 15m or 6h; 1m to 168h."
            value={pull?.every ?? ""}
            onChange={(e) => put({ every: e.target.value })}
          />
        ) : null}
        {by === "cron" ? (
          <Input
            label="At"
            hint="Minute, hour, day of the month, month and day of the week, in UTC."
            value={pull?.cron ?? ""}
            onChange={(e) => put({ cron: e.target.value })}
          />
        ) : null}
        <Input
          label="Begin with"
          optional
          type="date"
          hint="Rows that changed before this day are not pulled."
          value={pull?.from ?? ""}
          onChange={(e) => put({ from: e.target.value })}
        />
      </div>
      <Check
        label="Keep each state of a row"
        hint="Warehouses then have the history of a row, in place of the newest state alone."
        checked={pull?.history ?? false}
        onChange={(history) => put({ history })}
      />
      {problem ? (
        <p role="alert" className="text-sm text-bad">
          {problem}
        </p>
      ) : null}
    </section>
  );
}
