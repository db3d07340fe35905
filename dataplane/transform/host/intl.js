// Intl, over what modernc.org/quickjs/intl registered: the values are V8's for
// en-US; what would be other values is a RangeError that names the option.
(function (global, collate) {
  "use strict";
  const inner = global.Intl, Dates = inner.DateTimeFormat, Numbers = inner.NumberFormat;
  const dateGetter = Object.getOwnPropertyDescriptor(Dates.prototype, "format").get, numberGetter = Object.getOwnPropertyDescriptor(Numbers.prototype, "format").get;
  const dateParts = Dates.prototype.formatToParts, numberParts = Numbers.prototype.formatToParts;
  const dateOptions = Dates.prototype.resolvedOptions, numberOptions = Numbers.prototype.resolvedOptions;
  const apply = Reflect.apply, weak = new WeakMap(), weakGet = WeakMap.prototype.get, weakSet = WeakMap.prototype.set;
  const inside = (o, kind) => {
    const i = typeof o === "object" && o !== null ? apply(weakGet, weak, [o]) : undefined;
    if (i === undefined || i.kind !== kind) throw new TypeError("a method of Intl." + kind + " was called on something else");
    return i;
  };
  function method(o, name, value) { Object.defineProperty(o, name, { value, writable: true, enumerable: false, configurable: true }); }

  // only refuses a locale that is not en-US.
  function only(locales) {
    if (locales === undefined) return;
    const first = typeof locales === "string" ? locales : locales !== null && typeof locales === "object" && locales.length > 0 ? String(locales[0]) : locales !== null && typeof locales === "object" && locales.length === 0 ? "en" : undefined;
    if (first === undefined) throw new TypeError("a locale has to be a string or a list of strings");
    if (!/^en(-us)?$/i.test(first)) throw new RangeError("the locale " + JSON.stringify(first) + " is not supported; there is en-US");
  }

  // choose refuses an option that is none of those named.
  function choose(options, name, allowed) {
    const value = options[name];
    if (value === undefined) return;
    if (!allowed.includes(typeof value === "number" ? value : String(value))) throw new RangeError("the option " + name + ": " + JSON.stringify(value) + " is not supported; there are " + allowed.join(", "));
  }

  const dateKeys = ["localeMatcher", "calendar", "numberingSystem", "timeZone", "hourCycle", "hour12", "weekday", "era", "year", "month", "day", "dayPeriod", "hour", "minute", "second", "fractionalSecondDigits", "timeZoneName", "formatMatcher", "dateStyle", "timeStyle"];
  const inDates = { weekday: "w", year: "y", month: "m", day: "d" }, inTimes = { hour: "h", minute: "m", second: "s", fractionalSecondDigits: "f" };
  const datesThere = ["", "y", "m", "d", "ym", "md", "ymd", "w", "wmd", "wymd"], timesThere = ["", "h", "hm", "hms", "hmsf"];

  // together refuses fields whose arrangement is not known. What a method adds by
  // itself when none of its fields is asked for counts: y, m, d, or h, m, s, or both.
  function together(o, required, defaults) {
    if (o.dateStyle !== undefined || o.timeStyle !== undefined) return;
    let date = "", time = "";
    for (const key in inDates) if (o[key] !== undefined) date += inDates[key];
    for (const key in inTimes) if (o[key] !== undefined) time += inTimes[key];
    if ((required === "time" || date === "") && (required === "date" || time === "")) {
      if (defaults !== "time") date = (date === "w" ? "w" : "") + "ymd";
      if (defaults !== "date") time = "hms" + (time === "f" ? "f" : "");
    }
    if (!datesThere.includes(date) || !timesThere.includes(time) || date === "w" && (time !== "" || o.timeZoneName !== undefined) || time === "h" && o.timeZoneName !== undefined && ["h23", "h24"].includes(String(o.hourCycle)))
      throw new RangeError("the options " + Object.keys(o).join(", ") + " together are not supported; there are year, month, day, each alone, year and month, month and day, and all three, the last two with weekday, and weekday alone and without a time; hour (of 12 hours where a zone follows), then minute, second and fractionalSecondDigits");
  }

  const dateChecked = (required, defaults) => options => {
    if (options === undefined) return undefined;
    if (options === null) throw new TypeError("options have to be an object");
    const o = Object(options), out = {};
    for (const key of dateKeys) if (o[key] !== undefined) out[key] = o[key];
    choose(out, "calendar", ["gregory"]);
    choose(out, "numberingSystem", ["latn"]);
    choose(out, "timeZoneName", ["short"]);
    if (out.timeStyle !== undefined) choose(out, "timeStyle", ["long", "medium", "short"]); // full has the long name of a zone
    for (const key of ["era", "dayPeriod"]) if (out[key] !== undefined) throw new RangeError("the option " + key + " is not supported");
    if (out.hour12 !== undefined && !out.hour12) { delete out.hour12; out.hourCycle = "h24"; } // as V8 has it
    together(out, required, defaults);
    return out;
  };

  const numberKeys = ["localeMatcher", "style", "currency", "currencyDisplay", "currencySign", "unit", "unitDisplay", "numberingSystem", "notation", "compactDisplay", "signDisplay", "roundingMode", "roundingPriority", "roundingIncrement", "trailingZeroDisplay",
    "minimumIntegerDigits", "minimumFractionDigits", "maximumFractionDigits", "minimumSignificantDigits", "maximumSignificantDigits", "useGrouping"];
  function numberChecked(options) {
    if (options === undefined) return undefined;
    if (options === null) throw new TypeError("options have to be an object");
    const o = Object(options), out = {};
    for (const key of numberKeys) if (o[key] !== undefined) out[key] = o[key];
    choose(out, "numberingSystem", ["latn"]);
    choose(out, "currencyDisplay", ["symbol", "narrowSymbol", "code"]);
    choose(out, "unitDisplay", ["short", "narrow"]);
    choose(out, "roundingPriority", ["auto"]);
    choose(out, "roundingIncrement", [1]);
    if (out.style !== undefined && String(out.style) === "percent") choose(out, "notation", ["standard"]);
    if (out.notation !== undefined && String(out.notation) !== "standard") {
      for (const key of ["minimumSignificantDigits", "maximumSignificantDigits", "useGrouping"]) if (out[key] !== undefined) throw new RangeError("the option " + key + " is not supported with notation: " + JSON.stringify(out.notation));
      if (out.style !== undefined && String(out.style) === "currency") choose(out, "compactDisplay", ["short"]);
    }
    if (out.style !== undefined && String(out.style) === "unit") choose(out, "minimumIntegerDigits", [1]); // else 01 day or 01 days
    if (out.unit !== undefined && String(out.unit).includes("-per-")) throw new RangeError("the option unit: " + JSON.stringify(String(out.unit)) + " is not supported; there are simple units");
    return out;
  }

  // named reports whether options show the name of a zone; since refuses times whose
  // zones have other names.
  const named = o => o !== undefined && (o.timeZoneName !== undefined || o.timeStyle !== undefined && String(o.timeStyle) === "long");
  function since(time) {
    if (time < 0) throw new RangeError("the option timeZoneName (or timeStyle: long) is not supported for times before 1970");
  }

  function DateTimeFormat(locales, options) {
    if (!(this instanceof DateTimeFormat)) return new DateTimeFormat(locales, options);
    only(locales);
    const o = dateChecked("any", "date")(options);
    apply(weakSet, weak, [this, { kind: "DateTimeFormat", of: new Dates("en-US", o), named: named(o) }]);
  }
  function NumberFormat(locales, options) {
    if (!(this instanceof NumberFormat)) return new NumberFormat(locales, options);
    only(locales);
    apply(weakSet, weak, [this, { kind: "NumberFormat", of: new Numbers("en-US", numberChecked(options)) }]);
  }
  function Collator(locales, options) {
    if (!(this instanceof Collator)) return new Collator(locales, options);
    only(locales);
    const o = options === undefined ? {} : Object(options);
    choose(o, "usage", ["sort"]);
    choose(o, "sensitivity", ["variant"]);
    choose(o, "collation", ["default"]);
    choose(o, "caseFirst", ["false"]);
    choose(o, "numeric", ["false"]);
    choose(o, "ignorePunctuation", ["false"]);
    apply(weakSet, weak, [this, { kind: "Collator" }]);
  }
  const compare = (a, b) => {
    const answer = collate(a, b);
    if (typeof answer === "string") throw new RangeError("texts with " + answer + " cannot be compared as en-US does; there are letters, digits and signs of ASCII and Latin letters with accents");
    return answer;
  };
  function formatter(prototype, kind, getter) {
    Object.defineProperty(prototype, "format", { enumerable: false, configurable: true, get() {
      const i = inside(this, kind), f = apply(getter, i.of, []);
      return i.named ? date => { since(date === undefined ? 0 : Number(date)); return f(date); } : f;
    } });
  }
  formatter(DateTimeFormat.prototype, "DateTimeFormat", dateGetter);
  formatter(NumberFormat.prototype, "NumberFormat", numberGetter);
  Object.defineProperty(Collator.prototype, "compare", { enumerable: false, configurable: true, get() { inside(this, "Collator"); return (a, b) => compare(String(a), String(b)); } });
  method(DateTimeFormat.prototype, "formatToParts", function formatToParts(date) {
    const i = inside(this, "DateTimeFormat");
    if (i.named) since(date === undefined ? 0 : Number(date));
    const parts = apply(dateParts, i.of, [date]);
    for (let i = 1; i < parts.length; i++) if (parts[i].type === "dayPeriod" && parts[i - 1].type === "literal" && parts[i - 1].value === " ") parts[i - 1].value = "\u202f";
    return parts;
  });
  method(NumberFormat.prototype, "formatToParts", function formatToParts(n) { return apply(numberParts, inside(this, "NumberFormat").of, [n]); });
  method(DateTimeFormat.prototype, "resolvedOptions", function resolvedOptions() { return apply(dateOptions, inside(this, "DateTimeFormat").of, []); });
  method(NumberFormat.prototype, "resolvedOptions", function resolvedOptions() { return apply(numberOptions, inside(this, "NumberFormat").of, []); });
  const there = ["DateTimeFormat", "NumberFormat", "Collator"];
  for (const f of [DateTimeFormat, NumberFormat, Collator]) {
    Object.defineProperty(f, "length", { value: 0 });
    Object.defineProperty(f.prototype, Symbol.toStringTag, { value: "Intl." + f.name, configurable: true });
    for (const name of ["formatRange", "formatRangeToParts"]) if (f !== Collator) method(f.prototype, name, () => { throw new RangeError(f.name + "." + name + " is not supported; there are format and formatToParts"); });
    method(f, "supportedLocalesOf", locales => (typeof locales === "string" ? [locales] : Array.from(locales ?? [])).filter(l => /^en(-us)?$/i.test(l)));
  }
  const Intl = { };
  Object.defineProperty(Intl, Symbol.toStringTag, { value: "Intl", configurable: true });
  for (const f of [DateTimeFormat, NumberFormat, Collator]) method(Intl, f.name, f);
  method(Intl, "getCanonicalLocales", inner.getCanonicalLocales);
  for (const name of ["PluralRules", "RelativeTimeFormat", "ListFormat", "DisplayNames", "Segmenter", "DurationFormat", "Locale", "supportedValuesOf"]) {
    method(Intl, name, function () { throw new RangeError("Intl." + name + " is not supported; there are " + there.join(", ")); });
  }
  Object.defineProperty(global, "Intl", { value: Intl, writable: true, enumerable: false, configurable: true });

  // The methods of values check, and then do what was registered.
  function checked(prototype, name, check) {
    const f = prototype[name], valueOf = prototype.valueOf;
    method(prototype, name, { [name](locales, options) { 
      only(locales);
      const o = check(options);
      if (named(o)) since(apply(valueOf, this, []));
      return apply(f, this, ["en-US", o]);
    } }[name]);
    Object.defineProperty(prototype[name], "length", { value: 0 });
  }
  checked(Date.prototype, "toLocaleString", dateChecked("any", "all"));
  checked(Date.prototype, "toLocaleDateString", dateChecked("date", "date"));
  checked(Date.prototype, "toLocaleTimeString", dateChecked("time", "time"));
  checked(Number.prototype, "toLocaleString", numberChecked);
  checked(BigInt.prototype, "toLocaleString", numberChecked);
  method(String.prototype, "localeCompare", function localeCompare(that, locales, options) {
    if (this === undefined || this === null) throw new TypeError("localeCompare was called on " + this);
    if (locales !== undefined || options !== undefined) new Collator(locales, options);
    return compare(String(this), String(that));
  });
  for (const name of ["toLocaleUpperCase", "toLocaleLowerCase"]) {
    const f = String.prototype[name];
    method(String.prototype, name, { [name](locales) { only(locales); return apply(f, this, []); } }[name]);
    Object.defineProperty(String.prototype[name], "length", { value: 0 });
  }
})
