// A module with state of all sorts, for code that an event brings along.
let counter = 0, list = [1, 2], table = { a: 1, b: { c: 2 } }, pending, resolve, asked, ref;
const cache = new Map([["k", 1]]), seen = new Set([1]), weak = new WeakMap(), sticky = /a/y, global = /x/g;
const open = (function* () { yield 1; yield 2; })(), buffer = new Uint8Array(8), view = new DataView(buffer.buffer), shared = new Int32Array(new SharedArrayBuffer(16));
const when = new Date(86400000), registry = new FinalizationRegistry(() => {});
const closure = (() => { let kept = 0; return n => kept += n; })();
const tag = (s => () => s`x`)((strings) => { strings.raw.left; return counter++; });
class Private { #n = 0; add(n) { return this.#n += n; } }
const private_ = new Private();
const take = { own: Object.getOwnPropertyNames, symbols: Object.getOwnPropertySymbols, of: Object.getOwnPropertyDescriptor, proto: Object.getPrototypeOf, extensible: Object.isExtensible };

// roots are where a walk begins.
function roots(metadata) {
  return { globalThis, list, table, cache, seen, weak, sticky, global, open, buffer, view, shared, when, registry, closure, tag, private_, Private, metadata, exports, module,
    g: take.proto(function* () {}), ag: take.proto(async function* () {}), af: take.proto(async () => {}), ai: take.proto([][Symbol.iterator]()), mi: take.proto(new Map().entries()), si: take.proto(""[Symbol.iterator]()), ri: take.proto("".matchAll(/x/g)), ta: take.proto(Uint8Array), event: transformEvent };
}

// walk gives every object that can be reached from roots to visit, once.
function walk(metadata, visit) {
  const numbers = new Map(), queue = [];
  const number = o => {
    if (!numbers.has(o)) { numbers.set(o, numbers.size); queue.push(o); }
    return numbers.get(o);
  };
  const all = roots(metadata);
  for (const k in all) number(all[k]);
  for (let i = 0; i < queue.length; i++) visit(queue[i], number);
}

function probe(metadata) {
  const lines = [counter, String(asked), String(pending), String(ref), typeof left, typeof hidden, typeof fleft, closure(0), private_.add(0), tag(), JSON.stringify([...cache, ...seen]), weak.has(table), when.getTime(), String(/b/.exec("ab").index) + RegExp.$1, open.next().value];
  const name = v => typeof v === "symbol" ? v.toString() : v;
  walk(metadata, (o, number) => {
    let line = typeof o + " " + take.extensible(o);
    const value = v => (typeof v === "object" && v !== null) || typeof v === "function" ? "#" + number(v) : typeof v + ":" + String(v).slice(0, 200);
    const p = take.proto(o);
    line += " ^" + (p === null ? "null" : "#" + number(p));
    for (const k of [...take.own(o), ...take.symbols(o)]) {
      const d = take.of(o, k);
      line += "|" + name(k) + (d.writable ? "w" : "") + (d.enumerable ? "e" : "") + (d.configurable ? "c" : "");
      line += "value" in d ? value(d.value) : value(d.get) + value(d.set);
    }
    lines.push(line);
  });
  return { lines };
}

// disorder changes objects that can be reached, at random.
function disorder(seed, metadata) {
  let state = seed >>> 0;
  const next = n => { state = (Math.imul(state, 1664525) + 1013904223) >>> 0; return Math.floor(state / 4294967296 * n); };
  const objects = [];
  walk(metadata, (o, number) => {
    objects.push(o);
    for (const k of [...take.own(o), ...take.symbols(o)]) {
      const d = take.of(o, k);
      for (const v of [d.value, d.get, d.set]) if ((typeof v === "object" && v !== null) || typeof v === "function") number(v);
    }
  });
  const kept = { set: Reflect.set, del: Reflect.deleteProperty, define: Reflect.defineProperty, proto: Reflect.setPrototypeOf, prevent: Reflect.preventExtensions, own: Reflect.ownKeys, String };
  for (let i = 0; i < 300; i++) {
    const o = objects[next(objects.length)], keys = kept.own(o), key = keys.length > 0 && next(3) > 0 ? keys[next(keys.length)] : "left" + i;
    try {
      switch (next(5)) {
        case 0: kept.set(o, key, i); break;
        case 1: kept.del(o, key); break;
        case 2: kept.define(o, key, next(2) ? { value: i } : { get: () => i, configurable: true }); break;
        case 3: kept.proto(o, next(2) ? null : objects[next(objects.length)]); break;
        case 4: kept.prevent(o); break;
      }
    } catch (_) {}
  }
  return { messageId: "m" };
}

function transformEvent(e, metadata) {
  const private = private_;
  if (e.probe) return probe(metadata);
  return eval("(function (disorder) {" + e.attack + "\n})").call(globalThis, seed => disorder(seed, metadata));
}
exports.transformEvent = transformEvent;
