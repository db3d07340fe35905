import { Check } from "../../parts/input";
import { Pick, pickLook } from "../profiles/pick";
import type { Profile } from "../profiles/use-set";
import { featureText, plain, whereText } from "../profiles/words";
import type { Form } from "./form";
import { predictText } from "./words";

type Props = { profile: Profile; form: Form; put: (change: Partial<Form>) => void };

/** What a score predicts, in a sentence, and from what it is learned. */
export function LearnedFields({ profile, form, put }: Props) {
  const inputs = profile.inputs.map((i) => ({ value: i.name, title: plain(i.name) }));
  const first = profile.entities[0]?.name ?? "";
  const features = (profile.features ?? []).filter((f) => (f.entity ?? first) === (form.entity || first));
  const { not, input, next } = form.outcome;
  const set = (change: Partial<Form["outcome"]>) => put({ outcome: { ...form.outcome, ...change } });
  return (
    <div className="space-y-6">
      <fieldset>
        <legend className="mb-2 text-sm font-medium">How likely it is that a customer</legend>
        <div className="flex flex-wrap items-center gap-2 text-sm">
          {form.kept.predict ? (
            <span className="rounded-lg bg-sunken px-2.5 py-1.5">{predictText(form.kept.predict)}</span>
          ) : (
            <>
              <Pick
                label="Has or has not"
                value={not ? "not" : "has"}
                values={[
                  { value: "not", title: "has no" },
                  { value: "has", title: "has" },
                ]}
                onChange={(v) => set({ not: v === "not" })}
              />
              <Pick
                label="Of which rows"
                value={input}
                values={[...(input === "" ? [{ value: "", title: "choose…" }] : []), ...inputs]}
                onChange={(v) => set({ input: v })}
              />
              <span>in the next</span>
              <input
                aria-label="In how many days"
                inputMode="numeric"
                value={next.replace(/\D/g, "")}
                onChange={(e) => set({ next: `${e.target.value.replace(/\D/g, "").slice(0, 4)}${next.at(-1) ?? "d"}` })}
                className={`${pickLook} w-16`}
              />
              <Pick
                label="Days or weeks"
                value={next.at(-1) ?? "d"}
                values={[
                  { value: "h", title: "hours" },
                  { value: "d", title: "days" },
                  { value: "w", title: "weeks" },
                ]}
                onChange={(unit) => set({ next: `${next.replace(/\D/g, "")}${unit}` })}
              />
            </>
          )}
        </div>
      </fieldset>
      <fieldset>
        <legend className="mb-2 text-sm font-medium">Learned from</legend>
        {form.kept.among ? (
          <span className="rounded-lg bg-sunken px-2.5 py-1.5 text-sm">
            customers who: {whereText(form.kept.among)}
          </span>
        ) : (
          <Pick
            label="Learned from whom"
            value={form.among}
            values={[
              { value: "", title: "every customer" },
              ...inputs.map((i) => ({ value: i.value, title: `customers who have had ${i.title}` })),
            ]}
            onChange={(among) => put({ among })}
          />
        )}
      </fieldset>
      <fieldset className="space-y-2">
        <legend className="mb-1 text-sm font-medium">By these features</legend>
        <p className="text-sm text-soft">Without a choice by all that are numbers.</p>
        {features.map((f) => (
          <Check
            key={f.name}
            label={plain(f.name)}
            hint={featureText(f)}
            checked={form.from.includes(f.name)}
            onChange={(on) => put({ from: on ? [...form.from, f.name] : form.from.filter((n) => n !== f.name) })}
          />
        ))}
      </fieldset>
      <fieldset>
        <legend className="mb-2 text-sm font-medium">By</legend>
        <Pick
          label="How it is learned"
          value={form.learner}
          values={[
            { value: "boosted", title: "trees, which find more" },
            { value: "logistic", title: "weights, which are easier to explain" },
          ]}
          onChange={(v) => put({ learner: v === "logistic" ? "logistic" : "boosted" })}
        />
      </fieldset>
    </div>
  );
}

/** How a score is learned, in place of a preview, which there is none of. */
export function Lessons() {
  return (
    <section
      aria-label="How it is learned"
      className="space-y-3 rounded-xl border border-line bg-card p-5 text-sm shadow-xs"
    >
      <h2 className="text-base font-semibold">How it is learned</h2>
      <p>
        The plane looks at customers as they were known at moments of the past, and at what came after. It learns from
        those, and measures with the newest ones how good it is.
      </p>
      <p>
        Only what is good enough becomes the score. It needs 200 examples, with 20 for whom it came and 20 for whom it
        did not.
      </p>
      <p className="text-soft">
        The first run after you publish learns it. No row leaves your warehouse and the plane for it.
      </p>
    </section>
  );
}
