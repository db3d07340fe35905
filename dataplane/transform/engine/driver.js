// The driver: everything that it needs is taken before the customer's code runs,
// and nothing that the code can replace is used afterwards. No iteration, no
// spread, no assignment to elements of fresh lists: all of these can be
// redirected by a prototype.
(function (global, maxOutputs, maxChars, maxLogs, maxLogChars, direct) {
  "use strict";
  const parse = JSON.parse, stringify = JSON.stringify, isArray = Array.isArray;
  const apply = Reflect.apply, freeze = Object.freeze, create = Object.create, keys = Object.keys, define = Object.defineProperty;
  const slice = String.prototype.slice, toText = String;
  const MapOf = Map, mapGet = Map.prototype.get, mapSet = Map.prototype.set;
  const Failure = Error, Internal = InternalError;

  let fn = null, batch = false;
  let events = null, count = 0;
  let currentId = null, places = null; // places: from the object of an input to its index, batch only
  let turn = 0, waiting = false, poisoned = false, thrown = false;
  let out = "", logs = "", lines = 0, read = false;
  let about = null, known = null;
  let held = null, arrived = false, late; // an output that the plane writes, a promise's value

  function cut(text, most) { return text.length > most ? apply(slice, text, [0, most]) + "…" : text; }

  // describe returns [message, stack] of whatever was thrown.
  function describe(e) {
    try {
      if (e !== null && typeof e === "object") {
        const name = toText(e.name), message = toText(e.message), stack = e.stack;
        return { text: cut(name + ": " + message, 500), stack: typeof stack === "string" ? cut(stack, 4000) : "" };
      }
      return { text: cut("thrown: " + toText(e), 500), stack: "" };
    } catch (x) {
      return starved(x) ? null : { text: "thrown: something that cannot be read", stack: "" };
    }
  }

  // starved recognizes the engine's error; without memory it has no message either.
  function starved(e) { return e instanceof Internal && (e.message === "out of memory" || e.message === ""); }

  function fail(i, e) {
    const d = starved(e) ? null : describe(e);
    if (d === null) { poisoned = true; return; }
    refuse(i, "transformation_failed", d.text, d.stack);
  }

  function refuse(i, code, text, stack) {
    out += "e" + i + " " + record(code, text, stack || "") + "\n";
  }

  // record is an error as JSON, written by hand: no toJSON, no setter comes between.
  function record(code, text, stack) {
    return '{"code":' + stringify(code) + ',"text":' + stringify(text) + ',"stack":' + stringify(stack) + "}";
  }

  class Refusal { code; text; constructor(code, text) { this.code = code; this.text = text; } }

  // text returns one output as JSON.
  function textOf(value) {
    if (value === null || typeof value !== "object" || isArray(value))
      throw new Refusal("transformation_failed", "an output is " + kind(value) + ", not an event");
    const json = stringify(value);
    if (typeof json !== "string" || json[0] !== "{")
      throw new Refusal("transformation_failed", "an output is not an object as JSON");
    if (json.length > maxChars)
      throw new Refusal("transformation_output", "an output has more than " + (maxChars >> 10) + " KiB");
    return json;
  }

  function kind(value) {
    return value === null ? "null" : value === undefined ? "undefined" : isArray(value) ? "a list" : "a " + typeof value;
  }

  // settle writes what one event became.
  function settle(value) {
    if (value === null || value === undefined) return;
    if (!isArray(value)) { out += "o0 " + textOf(value) + "\n"; return; }
    let text = "", n = 0;
    for (let k = 0; k < value.length; k++) {
      const each = value[k];
      if (each === null || each === undefined) continue;
      if (++n > maxOutputs) throw new Refusal("transformation_output", "the event became more than " + maxOutputs + " events, the most that a transformation may make of one");
      text += "o0 " + textOf(each) + "\n";
    }
    out += text;
  }

  function settled(value) {
    try { settle(value); } catch (e) {
      if (e instanceof Refusal) refuse(0, e.code, e.text); else fail(0, e);
    }
  }

  // settleBatch takes what transformBatch returned; nextOut then goes through it.
  function settleBatch(value) {
    if (value === null || value === undefined) value = [];
    else if (!isArray(value)) { thrown = true; refuse(0, "transformation_failed", "transformBatch returned " + kind(value) + ", not a list"); return 1; }
    numbers = new MapOf();
    for (let i = 0; i < count; i++) apply(mapSet, numbers, [ids[i], i]);
    list = value; place = 0; total = 0; position = 0;
    return 3;
  }

  // nextOut gives outputs to the inputs that have their messageIds. It returns an
  // object that the plane writes itself, for the input at place, and 2 at the end.
  function nextOut() {
    try {
      while (position < list.length) {
        const each = list[position++];
        if (each === null || each === undefined) continue;
        if (++total > count * maxOutputs) { thrown = true; refuse(0, "transformation_output", (count === 1 ? "the event" : "the batch") + " became more than " + count * maxOutputs + " events, the most that a transformation may make of " + (count === 1 ? "one" : count)); break; }
        let i;
        if (typeof each === "object") {
          const id = each.messageId;
          i = id === undefined || id === null ? apply(mapGet, places, [each]) : apply(mapGet, numbers, [toText(id)]);
        }
        if (i === undefined) { out += "u0 " + stringify(cut(toText(typeof each === "object" ? each.messageId : each), 200)) + "\n"; continue; }
        place = i;
        late = each;
        if (direct && !isArray(each)) return each;
        return writeOut();
      }
    } catch (e) { thrown = true; fail(0, e); }
    list = null; late = undefined;
    return 2;
  }

  // writeOut returns the JSON of what nextOut returned last, 1 when it has none.
  function writeOut() {
    try { return textOf(late); } catch (e) {
      if (e instanceof Refusal) refuse(place, e.code, e.text); else fail(place, e);
      return 1;
    }
  }

  let list = null, numbers = null, place = 0, total = 0, position = 0; // of a batch's outputs
  let ids = null;

  function thenable(value) {
    return value !== null && (typeof value === "object" || typeof value === "function") && typeof value.then === "function";
  }

  // start runs one event. It returns 0 when it has to be waited for, 1 when it is
  // settled, and an object that the plane writes itself: that counts unless slow
  // comes next. For a batch it gets a list, and 3 says that there are outputs for
  // nextOut. The plane puts the machine back after each.
  function start(json) {
    if (batch) return startBatch(parse(json));
    const event = parse(json);
    currentId = event.messageId;
    try {
      const value = fn(event, metadata);
      if (thenable(value)) { waiting = true; follow(value, ++turn); return 0; }
      return give(value);
    } catch (e) { fail(0, e); return 1; }
  }

  function give(value) {
    if (direct && typeof value === "object" && value !== null && !isArray(value)) { held = value; return value; }
    settled(value);
    return 1;
  }

  function startBatch(list) {
    events = list; count = list.length;
    places = new MapOf();
    ids = create(null);
    for (let i = 0; i < count; i++) { apply(mapSet, places, [events[i], i]); ids[i] = toText(events[i].messageId); }
    try {
      const value = fn(events, metadata);
      if (thenable(value)) { waiting = true; follow(value, ++turn); return 0; }
      return settleBatch(value);
    } catch (e) { thrown = true; fail(0, e); }
    return 1;
  }

  // follow waits for a promise; one that was given up on says nothing.
  async function follow(promise, mine) {
    let value, good = true;
    try { value = await promise; } catch (e) { value = e; good = false; }
    if (mine !== turn || !waiting) return;
    waiting = false;
    if (good) { arrived = true; late = value; return; }
    thrown = batch;
    fail(0, value);
  }

  // resumed is start for the event that was waited for, 0 when it still is.
  function resumed() {
    if (waiting) return 0;
    if (!arrived) return 1;
    const value = late;
    arrived = false; late = undefined;
    if (!batch) {
      try { return give(value); } catch (e) { fail(0, e); return 1; }
    }
    return settleBatch(value);
  }

  // forget takes the values out of what parse returned.
  function forget(value) {
    const list = keys(value);
    for (let k = 0; k < list.length; k++) {
      const each = value[list[k]];
      if (typeof each === "object" && each !== null) forget(each); else value[list[k]] = 0;
    }
  }

  function metadata(event) {
    let id = currentId;
    if (batch) {
      const i = places === null ? undefined : apply(mapGet, places, [event]);
      id = i !== undefined ? ids[i] : event !== null && typeof event === "object" ? event.messageId : undefined;
    }
    const a = about;
    return {
      sourceId: a.sourceId, sourceName: a.sourceName, sourceType: a.sourceType,
      get destinationId() { read = true; return a.destinationId; },
      get destinationName() { read = true; return a.destinationName; },
      get destinationType() { read = true; return a.destinationType; },
      workspaceId: a.workspaceId, messageId: id,
    };
  }
  freeze(metadata);

  function line(level, args) {
    if (lines >= maxLogs || logs.length > maxLogs * maxLogChars) return;
    lines++;
    let text = "";
    for (let k = 0; k < args.length; k++) {
      let part;
      const arg = args[k];
      try {
        if (typeof arg === "string") part = arg;
        else if (arg instanceof Failure) part = toText(arg.name) + ": " + toText(arg.message);
        else if (typeof arg === "object" && arg !== null) part = stringify(arg);
        else part = toText(arg);
      } catch (_) { part = "[unreadable]"; }
      text += (k > 0 ? " " : "") + part;
      if (text.length > maxLogChars) break;
    }
    logs += "l" + (batch ? -1 : 0) + " " + level + " " + stringify(cut(text, maxLogChars)) + "\n";
  }

  function visible(name, value) { define(global, name, { value, writable: true, configurable: true, enumerable: false }); }
  const console = {};
  for (const level of ["log", "debug", "info", "warn", "error"]) {
    console[level] = function () { line(level === "log" ? "info" : level, arguments); };
  }
  visible("log", function log() { line("info", arguments); });
  visible("console", console);

  return {
    // load takes the module and returns "" or what went wrong, as JSON.
    load(module, isBatch, given) {
      try {
        const exports = {}, m = { exports };
        module(m, exports, given);
        batch = isBatch;
        fn = batch ? m.exports.transformBatch : m.exports.transformEvent;
        if (typeof fn !== "function")
          return record("transformation_failed", (batch ? "transformBatch" : "transformEvent") + " is " + kind(fn) + ", not a function", "");
        return "";
      } catch (e) {
        const d = starved(e) ? null : describe(e);
        if (d === null) return "memory";
        return record("transformation_failed", d.text, d.stack);
      }
    },
    // about takes what metadata gives, and an event like those to come: its keys stay
    // known to the engine, which reads the others faster. Its values do not.
    about(sample, workspaceId, sourceId, sourceName, sourceType, destinationId, destinationName, destinationType) {
      if (sample !== "") { known = parse(sample); forget(known); }
      about = { workspaceId, sourceId, sourceName, sourceType, destinationId, destinationName, destinationType };
    },
    start, resumed, nextOut, writeOut,
    place() { return place; },
    // slow writes what start or resumed returned last.
    slow() { const value = held; held = null; settled(value); },
    // giveUp fails what is waited for, because nothing is left that could settle it.
    giveUp() {
      turn++;
      waiting = false;
      thrown = batch;
      refuse(0, "transformation_failed", "the promise never settles");
    },
    // take returns what the plane has not written itself, after a line that sums it
    // up; "" when that is all.
    take() {
      if (!poisoned && !thrown && !read && out === "" && logs === "") return "";
      return (poisoned ? 1 : 0) + " " + (thrown ? 1 : 0) + " " + (read ? 1 : 0) + "\n" + out + logs;
    },
  };
})
