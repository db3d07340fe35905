// Expressions about dates, numbers and texts at random, for Node and for the engine
// alike. cases(seed, n) returns [what, value] of each; an error is its name.
function cases(seed, n) {
  let state = seed >>> 0;
  const next = k => { state = (Math.imul(state, 1664525) + 1013904223) >>> 0; return Math.floor(state / 4294967296 * k); };
  const pick = list => list[next(list.length)];
  const maybe = (o, key, list) => { if (next(3) === 0) o[key] = pick(list); };
  const zones = ["UTC", "America/New_York", "America/Los_Angeles", "Europe/Berlin", "Europe/London", "Asia/Tokyo", "Asia/Kolkata", "Australia/Sydney", "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Auckland", "America/St_Johns", "Africa/Cairo", "Etc/GMT+5", "America/Chicago", "Pacific/Honolulu", "Asia/Calcutta", "Nowhere/Land"];
  const dates = () => {
    const o = {};
    if (next(3) === 0) { maybe(o, "dateStyle", ["full", "long", "medium", "short"]); maybe(o, "timeStyle", ["full", "long", "medium", "short"]); }
    else {
      maybe(o, "weekday", ["long", "short", "narrow"]); maybe(o, "year", ["numeric", "2-digit"]); maybe(o, "month", ["numeric", "2-digit", "long", "short", "narrow"]); maybe(o, "day", ["numeric", "2-digit"]);
      maybe(o, "hour", ["numeric", "2-digit"]); maybe(o, "minute", ["numeric", "2-digit"]); maybe(o, "second", ["numeric", "2-digit"]); maybe(o, "fractionalSecondDigits", [1, 2, 3]);
      maybe(o, "timeZoneName", ["short", "long", "shortOffset", "longOffset", "shortGeneric", "longGeneric"]); if (next(10) === 0) o.era = "short"; if (next(10) === 0) o.dayPeriod = "long";
    }
    maybe(o, "timeZone", zones); if (next(5) === 0) o.hour12 = next(2) === 1; if (next(5) === 0) o.hourCycle = pick(["h11", "h12", "h23", "h24"]);
    return o;
  };
  const numbers = () => {
    const o = {};
    maybe(o, "style", ["decimal", "percent", "currency", "unit"]);
    if (o.style === "currency" || next(9) === 0) o.currency = pick(["USD", "EUR", "GBP", "JPY", "INR", "BRL", "CHF", "KRW", "CAD", "AUD", "KWD", "XYZ", "PLN", "SEK", "usd"]);
    if (o.style === "unit") o.unit = pick(["kilometer", "kilogram", "liter", "celsius", "percent", "byte", "megabyte", "mile-per-hour", "day", "second", "meter"]);
    maybe(o, "currencyDisplay", ["symbol", "code", "narrowSymbol", "name"]); maybe(o, "currencySign", ["standard", "accounting"]); maybe(o, "unitDisplay", ["short", "long", "narrow"]);
    maybe(o, "notation", ["standard", "compact", "scientific", "engineering"]); maybe(o, "compactDisplay", ["short", "long"]); maybe(o, "signDisplay", ["auto", "always", "never", "exceptZero", "negative"]);
    if (next(4) === 0) o.useGrouping = pick([true, false, "always", "auto", "min2"]);
    if (next(4) === 0) o.minimumIntegerDigits = pick([1, 2, 5, 21]);
    if (next(3) === 0) { o.minimumFractionDigits = next(4); if (next(2)) o.maximumFractionDigits = o.minimumFractionDigits + next(4); } else if (next(3) === 0) o.maximumFractionDigits = next(7);
    if (next(6) === 0) { o.minimumSignificantDigits = 1 + next(3); o.maximumSignificantDigits = 3 + next(4); }
    if (next(9) === 0) o.roundingMode = pick(["ceil", "floor", "halfExpand", "halfEven", "trunc", "expand", "halfTrunc"]); if (next(15) === 0) o.roundingIncrement = 5; if (next(15) === 0) o.trailingZeroDisplay = "stripIfInteger";
    return o;
  };
  const letters = "aabcdeéèêfghAÀÁÂÄbBcCçÇßæÆœøØåÅñÑzZyŸ0129 -_.,'!?@#$%&*()[]{}+=/\\<>|~^`:;\"łŁđĐıİžŽšŠ";
  const text = () => { let s = ""; for (let k = next(6); k > 0; k--) s += letters[next(letters.length)]; return s; };
  const instant = () => new Date(pick([0, 1.7e12, 1741503600000, 1762063200000, -1e12, 1.9e12, 4e12]) + next(4e7) * 1000 + next(1000));
  const value = () => pick([0, -0, 1, -1, 5, 12, 999, 1000, 1234.5, 0.5, 0.005, 1e6, 123456789.987, -1234.567, 1e15, 1e21, 0.1 + 0.2, NaN, Infinity, -Infinity, 1.005, 2.5, 999999, 1e-7, 15, 1.45, 9007199254740993n, -12n]);
  const locale = () => pick([undefined, "en-US", "en-US", "en-US", "en", ["en-US"], [], "de-DE", "en-GB", "fr", "ja-JP-u-ca-japanese", "not a locale"]);
  const shown = o => JSON.stringify(o, (k, v) => typeof v === "bigint" ? v + "n" : v);
  const out = [];
  for (let i = 0; i < n; i++) {
    let what, f;
    const l = locale();
    switch (next(8)) {
      case 0: { const d = instant(), o = dates(); what = ["toLocaleString", d, l, o]; f = () => d.toLocaleString(l, o); break; }
      case 1: { const d = instant(), o = dates(); what = ["toLocaleDateString", d, l, o]; f = () => d.toLocaleDateString(l, o); break; }
      case 2: { const d = instant(), o = dates(); what = ["toLocaleTimeString", d, l, o]; f = () => d.toLocaleTimeString(l, o); break; }
      case 3: { const d = instant(), o = dates(); what = ["DateTimeFormat", d, l, o]; f = () => JSON.stringify(new Intl.DateTimeFormat(l, o).formatToParts(d)); break; }
      case 4: case 5: { const v = value(), o = numbers(); what = ["toLocaleString", String(v), l, o]; f = () => v.toLocaleString(l, o); break; }
      case 6: { const v = value(), o = numbers(); what = ["NumberFormat", String(v), l, o]; f = () => { const p = new Intl.NumberFormat(l, o); return p.format(v) + JSON.stringify(p.formatToParts(v)); }; break; }
      case 7: { const a = text(), b = next(3) ? a.toUpperCase() + text() : text(); what = ["localeCompare", a, b]; f = () => [a.localeCompare(b), a.localeCompare(b, "en-US"), [a, b, "b", "B", "é"].sort(new Intl.Collator("en").compare)]; break; }
    }
    let is;
    try { is = f(); } catch (e) { is = { error: e.name, refused: / not supported|cannot be compared/.test(e.message), message: e.message }; }
    out.push([shown(what), is]);
  }
  return out;
}
