// The calls that every SDK is made to do, as data, and a clock that is wrong.
// Each call carries its number n, by which a receiver knows it.

const text = "naïve 👩🏽‍🚀 שלום עולם مرحبا e\u0301 Z\u0351\u036b \u202e \u0000 \" \\ </script>";

/**
 * Properties of call n with all that JSON can hold. Some SDKs remove
 * nulls and turn a list in a list into an object.
 */
function properties(n, nulls) {
  const all = {
    n,
    text,
    [text]: "a key",
    big: 12345678901234567890,
    safe: Number.MAX_SAFE_INTEGER,
    small: -1.5e-7,
    zero: 0,
    yes: true,
    no: false,
    nested: { z: 1, a: { b: [1, { c: "d" }] }, 10: "ten", 9: "nine" },
    list: [1, "two", { three: 3 }, { four: [] }, ""],
    nothing: {},
  };
  return nulls ? { ...all, none: null, nulls: [null, { a: null }, [], [1, [2, { c: "d" }]]] } : all;
}

/**
 * The calls of a run: every type with rich content, one of 30 KB, then a burst
 * of tracks by several users (by one where the SDK knows but one at a time).
 */
function calls({ burst, users, nulls, types }) {
  const all = [];
  const add = (type, rest) => all.push({ n: all.length, type, userId: "user-0", ...rest(all.length) });
  for (const type of types) {
    if (type === "alias") continue;
    add(type, (n) => ({ content: properties(n, nulls) }));
    add(type, (n) => ({ content: properties(n, nulls), messageId: `given-${n}` }));
  }
  add("track", (n) => ({ content: { n, large: "x".repeat(30_000) } }));
  for (let i = 0; i < burst; i++) {
    add("track", (n) => ({ userId: `user-${i % users}`, content: { n } }));
  }
  add("alias", (n) => ({ previousId: `previous-${n}` }));
  return all;
}

/** Makes the clock of a program wrong by so many milliseconds. */
function skew(by) {
  const Right = globalThis.Date;
  globalThis.Date = class extends Right {
    constructor(...args) {
      if (args.length === 0) super(Right.now() + by);
      else super(...args);
    }
    static now() {
      return Right.now() + by;
    }
  };
}

module.exports = { calls, skew };
