import { useState } from "react";
import type { components } from "../../api/schema.gen";
import { Check, Input, Select } from "../../parts/input";

type Schedule = components["schemas"]["Schedule"];
type Props = {
  schedule: Schedule | undefined;
  onChange: (s: Schedule | undefined) => void;
  problems: Readonly<Record<string, string>>;
};

const often = ["5m", "15m", "1h", "6h", "24h"];

/** When a sync runs. */
export function ScheduleInput({ schedule: s, onChange, problems }: Props) {
  const [by, setBy] = useState<"asked" | "every" | "cron">(s?.cron ? "cron" : s?.every ? "every" : "asked");
  const put = (change: Schedule) => {
    const { every, cron, afterLoad, afterProfiles } = { ...s, ...change };
    const next: Schedule = {
      ...(every ? { every } : {}),
      ...(cron ? { cron } : {}),
      ...(afterLoad ? { afterLoad } : {}),
      ...(afterProfiles ? { afterProfiles } : {}),
    };
    onChange(Object.keys(next).length === 0 ? undefined : next);
  };
  const choose = (to: string) => {
    if (to !== "asked" && to !== "every" && to !== "cron") return;
    setBy(to);
    put({ every: to === "every" ? "15m" : "", cron: to === "cron" ? "0 6 * * *" : "" });
  };
  const problem = problems.schedule ?? problems["schedule.every"] ?? problems["schedule.cron"];
  return (
    <div className="space-y-4">
      <div className="grid gap-4 sm:grid-cols-2">
        <Select
          label="When it runs"
          value={by}
          values={[
            { value: "asked", title: "When somebody asks" },
            { value: "every", title: "Again and again" },
            { value: "cron", title: "At times of the day or week" },
          ]}
          onChange={choose}
        />
        {by === "every" ? (
          <>
            <Input
              label="Every"
              hint="Such as 15m or 6h; a minute at least."
              list="often"
              value={s?.every ?? ""}
              onChange={(e) => put({ every: e.target.value })}
              {...(problem ? { problem } : {})}
            />
            <datalist id="often">
              {often.map((o) => (
                <option key={o} value={o} />
              ))}
            </datalist>
          </>
        ) : null}
        {by === "cron" ? (
          <Input
            label="At"
            hint="Minute, hour, day of the month, month and day of the week, in UTC: 0 6 * * 1-5 is six o'clock on workdays."
            value={s?.cron ?? ""}
            onChange={(e) => put({ cron: e.target.value })}
            {...(problem ? { problem } : {})}
          />
        ) : null}
      </div>
      <Check
        label="Also after each load of the warehouse"
        hint="Changed rows then reach the destination seconds after they are loaded."
        checked={s?.afterLoad ?? false}
        onChange={(afterLoad) => put({ afterLoad })}
      />
      <Check
        label="Also after each run of the profiles"
        hint="For a model that is an audience, or reads what profiles make."
        checked={s?.afterProfiles ?? false}
        onChange={(afterProfiles) => put({ afterProfiles })}
      />
    </div>
  );
}
