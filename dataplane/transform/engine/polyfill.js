// What browsers and Node have and the engine has not. Nothing here reaches
// outside the machine: there is no network, no clock to wait for, no module.
(function (global, international) {
  "use strict";
  function define(name, value) { Object.defineProperty(global, name, { value, writable: true, configurable: true, enumerable: false }); }

  // What is done outside of the engine.
  const hash = global.hash, random = global.random;
  delete global.hash;
  delete global.random;
  if (international !== null) {
    const collate = global.collate;
    delete global.collate;
    international(global, collate);
  } else {
    for (const [prototype, names] of [[Date.prototype, ["toLocaleString", "toLocaleDateString", "toLocaleTimeString"]], [Number.prototype, ["toLocaleString"]], [BigInt.prototype, ["toLocaleString"]], [String.prototype, ["localeCompare", "toLocaleUpperCase", "toLocaleLowerCase"]]]) {
      for (const name of names) Object.defineProperty(prototype, name, { value() { throw new RangeError(name + " is not supported in code that does not name it"); }, writable: true, configurable: true, enumerable: false });
    }
  }

  define("queueMicrotask", function queueMicrotask(f) {
    if (typeof f !== "function") throw new TypeError("queueMicrotask takes a function");
    Promise.resolve().then(f);
  });

  // utf8 returns the bytes of a text; a lone surrogate becomes U+FFFD.
  function utf8(text) {
    const out = [];
    for (let i = 0; i < text.length; i++) {
      let c = text.codePointAt(i);
      if (c > 0xFFFF) i++;
      else if (c >= 0xD800 && c < 0xE000) c = 0xFFFD;
      if (c < 0x80) out.push(c);
      else if (c < 0x800) out.push(0xC0 | c >> 6, 0x80 | c & 63);
      else if (c < 0x10000) out.push(0xE0 | c >> 12, 0x80 | c >> 6 & 63, 0x80 | c & 63);
      else out.push(0xF0 | c >> 18, 0x80 | c >> 12 & 63, 0x80 | c >> 6 & 63, 0x80 | c & 63);
    }
    return out;
  }

  // text reads UTF-8. It returns the text and how many bytes at the end are the
  // beginning of a character that is not finished.
  function text(bytes, fatal, stream) {
    let out = "", i = 0;
    while (i < bytes.length) {
      const first = bytes[i];
      let need = first < 0x80 ? 0 : first >= 0xC2 && first < 0xE0 ? 1 : first >= 0xE0 && first < 0xF0 ? 2 : first >= 0xF0 && first < 0xF5 ? 3 : -1;
      if (need === 0) { out += String.fromCharCode(first); i++; continue; }
      let c = need < 0 ? 0 : first & (0x3F >> need), k = 1, good = need > 0;
      for (; good && k <= need; k++) {
        if (i + k >= bytes.length) {
          if (stream) return [out, bytes.length - i];
          good = false;
          break;
        }
        const b = bytes[i + k];
        const low = k === 1 ? (first === 0xE0 ? 0xA0 : first === 0xF0 ? 0x90 : 0x80) : 0x80;
        const high = k === 1 ? (first === 0xED ? 0x9F : first === 0xF4 ? 0x8F : 0xBF) : 0xBF;
        if (b < low || b > high) { good = false; break; }
        c = c << 6 | b & 63;
      }
      if (good) { out += String.fromCodePoint(c); i += need + 1; continue; }
      if (fatal) throw new TypeError("The encoded data was not valid utf-8");
      out += "\uFFFD";
      i += k;
    }
    return [out, 0];
  }

  class TextEncoder {
    get encoding() { return "utf-8"; }
    encode(input = "") { return Uint8Array.from(utf8(String(input))); }
    encodeInto(source, destination) {
      let read = 0, written = 0;
      for (const c of String(source)) {
        const bytes = utf8(c);
        if (written + bytes.length > destination.length) break;
        destination.set(bytes, written);
        written += bytes.length;
        read += c.length;
      }
      return { read, written };
    }
  }

  class TextDecoder {
    #fatal; #ignoreBOM; #rest = []; #begun = false;
    constructor(label = "utf-8", options = {}) {
      if (!["utf-8", "utf8", "unicode-1-1-utf-8"].includes(String(label).trim().toLowerCase())) throw new RangeError("only utf-8 is supported");
      this.#fatal = Boolean(options.fatal);
      this.#ignoreBOM = Boolean(options.ignoreBOM);
    }
    get encoding() { return "utf-8"; }
    get fatal() { return this.#fatal; }
    get ignoreBOM() { return this.#ignoreBOM; }
    decode(input, options = {}) {
      let bytes = input === undefined ? [] : ArrayBuffer.isView(input) ? new Uint8Array(input.buffer, input.byteOffset, input.byteLength) : new Uint8Array(input);
      if (this.#rest.length > 0) bytes = [...this.#rest, ...bytes];
      let [out, left] = text(bytes, this.#fatal, Boolean(options.stream));
      this.#rest = left > 0 ? Array.from(bytes.slice(bytes.length - left)) : [];
      if (!this.#begun && !this.#ignoreBOM && out.charCodeAt(0) === 0xFEFF) out = out.slice(1);
      this.#begun = Boolean(options.stream) && (this.#begun || out.length > 0);
      return out;
    }
  }
  define("TextEncoder", TextEncoder);
  define("TextDecoder", TextDecoder);

  const base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  class DOMException extends Error {
    constructor(message, name = "Error") { super(message); Object.defineProperty(this, "name", { value: name, configurable: true, writable: true }); }
  }
  define("DOMException", DOMException);
  define("btoa", function btoa(input) {
    const s = String(input);
    let out = "";
    for (let i = 0; i < s.length; i += 3) {
      const a = s.charCodeAt(i), b = i + 1 < s.length ? s.charCodeAt(i + 1) : 0, c = i + 2 < s.length ? s.charCodeAt(i + 2) : 0;
      if (a > 255 || b > 255 || c > 255) throw new DOMException("The string has characters outside Latin1", "InvalidCharacterError");
      out += base64[a >> 2] + base64[(a & 3) << 4 | b >> 4] + (i + 1 < s.length ? base64[(b & 15) << 2 | c >> 6] : "=") + (i + 2 < s.length ? base64[c & 63] : "=");
    }
    return out;
  });
  define("atob", function atob(input) {
    let s = String(input).replace(/[\t\n\f\r ]/g, "");
    if (s.length % 4 === 0) s = s.replace(/==?$/, "");
    if (s.length % 4 === 1 || /[^A-Za-z0-9+/]/.test(s)) throw new DOMException("The string is not base64", "InvalidCharacterError");
    let out = "", bits = 0, n = 0;
    for (const c of s) {
      bits = bits << 6 | base64.indexOf(c);
      if ((n += 6) >= 8) { n -= 8; out += String.fromCharCode(bits >> n & 255); bits &= (1 << n) - 1; }
    }
    return out;
  });

  define("structuredClone", function structuredClone(value) {
    const seen = new Map();
    function clone(v) {
      if (typeof v === "function" || typeof v === "symbol") throw new DOMException("This cannot be cloned", "DataCloneError");
      if (typeof v !== "object" || v === null) return v;
      if (seen.has(v)) return seen.get(v);
      const keep = c => { seen.set(v, c); return c; };
      if (Array.isArray(v)) {
        const c = keep(new Array(v.length));
        for (const k of Object.keys(v)) c[k] = clone(v[k]);
        return c;
      }
      if (v instanceof Date) return keep(new Date(v.getTime()));
      if (v instanceof RegExp) return keep(new RegExp(v.source, v.flags));
      if (v instanceof ArrayBuffer) return keep(v.slice(0));
      if (ArrayBuffer.isView(v)) {
        const buffer = clone(v.buffer);
        return keep(v instanceof DataView ? new DataView(buffer, v.byteOffset, v.byteLength) : new v.constructor(buffer, v.byteOffset, v.length));
      }
      if (v instanceof Map) { const c = keep(new Map()); for (const [k, e] of v) c.set(clone(k), clone(e)); return c; }
      if (v instanceof Set) { const c = keep(new Set()); for (const e of v) c.add(clone(e)); return c; }
      if (v instanceof Error) {
        const c = keep(new Error(v.message));
        Object.defineProperty(c, "name", { value: String(v.name), configurable: true, writable: true });
        if ("cause" in v) c.cause = clone(v.cause);
        return c;
      }
      if (v instanceof Boolean || v instanceof Number || v instanceof String) return keep(Object(v.valueOf()));
      if (v instanceof Promise || v instanceof WeakMap || v instanceof WeakSet) throw new DOMException("This cannot be cloned", "DataCloneError");
      const c = keep({});
      for (const k of Object.keys(v)) Object.defineProperty(c, k, { value: clone(v[k]), writable: true, enumerable: true, configurable: true });
      return c;
    }
    return clone(value);
  });

  // Percent-encoding: each set is what is encoded beside controls and all beyond ASCII.
  function percent(s, set, first = 0x21) {
    let out = "";
    for (const b of utf8(s)) {
      const c = String.fromCharCode(b);
      out += b >= first && b < 0x7F && !set.includes(c) ? c : "%" + (b < 16 ? "0" : "") + b.toString(16).toUpperCase();
    }
    return out;
  }
  function unpercent(s) {
    if (!s.includes("%")) return s;
    const bytes = utf8(s), out = [];
    for (let i = 0; i < bytes.length; i++) {
      const hex = bytes[i] === 37 && i + 2 < bytes.length ? String.fromCharCode(bytes[i + 1], bytes[i + 2]) : "";
      if (/^[0-9a-fA-F]{2}$/.test(hex)) { out.push(parseInt(hex, 16)); i += 2; } else out.push(bytes[i]);
    }
    return text(out, false, false)[0];
  }
  const inPath = "\"#<>?`{}^", inQuery = "\"#<>", inFragment = "\"<>`", inUser = inPath + "/:;=@[\\]|";

  // puny is a label of a host name in ASCII. Source: RFC 3492.
  function puny(label) {
    if (!/[^\0-\x7F]/.test(label)) return label;
    const points = Array.from(label, c => c.codePointAt(0));
    let out = points.filter(p => p < 128).map(p => String.fromCharCode(p)).join("");
    let handled = out.length, n = 128, delta = 0, bias = 72;
    const basic = handled;
    if (basic > 0) out += "-";
    const digit = d => String.fromCharCode(d < 26 ? d + 97 : d + 22);
    while (handled < points.length) {
      const m = Math.min(...points.filter(p => p >= n));
      delta += (m - n) * (handled + 1);
      n = m;
      for (const p of points) {
        if (p < n) delta++;
        if (p !== n) continue;
        let q = delta;
        for (let k = 36; ; k += 36) {
          const t = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
          if (q < t) break;
          out += digit(t + (q - t) % (36 - t));
          q = Math.floor((q - t) / (36 - t));
        }
        out += digit(q);
        let d = handled === basic ? Math.floor(delta / 700) : delta >> 1, k = 0;
        for (d += Math.floor(d / (handled + 1)); d > 455; k += 36) d = Math.floor(d / 35);
        bias = k + Math.floor(36 * d / (d + 38));
        delta = 0;
        handled++;
      }
      delta++;
      n++;
    }
    return "xn--" + out;
  }

  const ports = { "http:": "80", "https:": "443", "ws:": "80", "wss:": "443", "ftp:": "21", "file:": "" };
  const special = scheme => Object.hasOwn(ports, scheme);
  function invalid(input) { const e = new TypeError("Invalid URL: " + input.slice(0, 200)); e.code = "ERR_INVALID_URL"; return e; }

  function hostOf(host, scheme, input) {
    if (host.startsWith("[")) {
      if (!/^\[[0-9a-fA-F:.]{2,}\]$/.test(host)) throw invalid(input);
      return host.toLowerCase();
    }
    if (!special(scheme)) {
      if (/[\0\t\n\r #/<>?@[\\\]^|]/.test(host)) throw invalid(input);
      return percent(host, "");
    }
    host = unpercent(host).normalize("NFKC").toLowerCase().replace(/[\u3002\uFF0E\uFF61]/g, ".").split(".").map(puny).join(".");
    if (host === "" && scheme === "file:") return "";
    if (host === "" || /[\0-\x20"#%/:<>?@[\\\]^`{|}\x7F]/.test(host)) throw invalid(input);
    const parts = host.replace(/\.$/, "").split("."), last = parts[parts.length - 1];
    if (/^(\d+|0x[0-9a-f]*)$/.test(last)) {
      const numbers = parts.map(p => /^0x[0-9a-f]*$/.test(p) ? parseInt(p.slice(2) || "0", 16) : /^0[0-7]+$/.test(p) ? parseInt(p, 8) : /^\d+$/.test(p) ? parseInt(p, 10) : NaN);
      if (parts.length > 4 || numbers.some(n => !(n >= 0))) throw invalid(input);
      const end = numbers.pop();
      if (numbers.some(n => n > 255) || end >= 256 ** (4 - numbers.length)) throw invalid(input);
      let ip = end;
      numbers.forEach((n, i) => { ip += n * 256 ** (3 - i); });
      return [3, 2, 1, 0].map(i => Math.floor(ip / 256 ** i) % 256).join(".");
    }
    return host;
  }

  function pathOf(raw, base, scheme) {
    const out = base.slice(), parts = (special(scheme) ? raw.replace(/\\/g, "/") : raw).split("/");
    parts.forEach((part, i) => {
      const last = i === parts.length - 1, plain = part.replace(/%2e/gi, ".");
      if (plain === "..") { out.pop(); if (last) out.push(""); }
      else if (plain === ".") { if (last) out.push(""); }
      else out.push(percent(part, inPath));
    });
    return out;
  }

  // read takes an address apart.
  function read(input, base) {
    const clean = input.replace(/^[\0-\x20]+|[\0-\x20]+$/g, "").replace(/[\t\n\r]/g, "");
    const u = { scheme: "", user: "", password: "", host: null, port: "", path: [], opaque: null, query: null, fragment: null };
    let rest = clean;
    const hash = rest.indexOf("#");
    if (hash >= 0) { u.fragment = percent(rest.slice(hash + 1), inFragment); rest = rest.slice(0, hash); }
    const scheme = /^[a-zA-Z][a-zA-Z0-9+.-]*:/.exec(rest);
    let relative = false;
    if (scheme) {
      u.scheme = scheme[0].toLowerCase();
      rest = rest.slice(scheme[0].length);
      relative = base !== null && base.scheme === u.scheme && special(u.scheme) && !/^[/\\]/.test(rest);
    } else {
      if (base === null) throw invalid(input);
      u.scheme = base.scheme;
      relative = true;
      if (base.opaque !== null) {
        if (hash < 0 || rest !== "") throw invalid(input);
        return { ...base, fragment: u.fragment };
      }
    }
    const mark = rest.indexOf("?");
    if (mark >= 0) { u.query = percent(rest.slice(mark + 1), inQuery + (special(u.scheme) ? "'" : "")); rest = rest.slice(0, mark); }
    const slashes = special(u.scheme) ? /^[/\\]{2}/ : /^\/\//;
    if (!relative && special(u.scheme) && u.scheme !== "file:") rest = "//" + rest.replace(/^[/\\]+/, "");
    if (slashes.test(rest)) {
      rest = rest.slice(2);
      const end = rest.search(special(u.scheme) ? /[/\\]/ : /\//);
      authority(u, end < 0 ? rest : rest.slice(0, end), input);
      rest = end < 0 ? "" : rest.slice(end);
    } else if (relative) {
      Object.assign(u, { user: base.user, password: base.password, host: base.host, port: base.port });
      if (rest === "") {
        u.path = base.path.slice();
        if (mark < 0) u.query = base.query;
        return u;
      }
      if (!(special(u.scheme) ? /^[/\\]/ : /^\//).test(rest)) {
        u.path = pathOf(rest, base.path.slice(0, -1), u.scheme);
        return u;
      }
    } else if (!special(u.scheme) && !rest.startsWith("/")) {
      u.opaque = percent(rest, "", 0x20);
      return u;
    } else if (u.scheme === "file:") u.host = "";
    if (rest !== "") u.path = pathOf(rest.slice(1), [], u.scheme);
    else if (special(u.scheme)) u.path = [""];
    return u;
  }

  function authority(u, raw, input) {
    const at = raw.lastIndexOf("@");
    if (at >= 0) {
      const info = raw.slice(0, at), colon = info.indexOf(":");
      u.user = percent(colon < 0 ? info : info.slice(0, colon), inUser);
      u.password = colon < 0 ? "" : percent(info.slice(colon + 1), inUser);
      raw = raw.slice(at + 1);
    }
    const port = /:(\d*)$/.exec(raw);
    if (port) {
      raw = raw.slice(0, port.index);
      if (port[1] !== "") {
        if (Number(port[1]) > 65535) throw invalid(input);
        u.port = String(Number(port[1])) === ports[u.scheme] ? "" : String(Number(port[1]));
      }
    }
    if (!special(u.scheme) && raw === "") { u.host = ""; return; }
    u.host = hostOf(raw, u.scheme, input);
    if (u.scheme === "file:" && u.host === "localhost") u.host = "";
  }

  class URLSearchParams {
    #list = []; #changed = null;
    constructor(init = "", changed = null) {
      this.#changed = typeof changed === "function" ? changed : null;
      if (typeof init === "object" && init !== null) {
        if (typeof init[Symbol.iterator] === "function") {
          for (const each of init) {
            const two = Array.from(each);
            if (two.length !== 2) throw new TypeError("each pair has a name and a value");
            this.#list.push([String(two[0]), String(two[1])]);
          }
        } else for (const k of Object.keys(init)) this.#list.push([k, String(init[k])]);
      } else this.#read(String(init));
    }
    #read(s) {
      if (s.startsWith("?")) s = s.slice(1);
      this.#list = s.split("&").filter(p => p !== "").map(p => {
        const at = p.indexOf("="), clean = t => unpercent(t.replace(/\+/g, " "));
        return at < 0 ? [clean(p), ""] : [clean(p.slice(0, at)), clean(p.slice(at + 1))];
      });
    }
    #tell() { if (this.#changed) this.#changed(this.toString()); }
    get size() { return this.#list.length; }
    append(name, value) { this.#list.push([String(name), String(value)]); this.#tell(); }
    delete(name, value) {
      this.#list = this.#list.filter(([k, v]) => k !== String(name) || value !== undefined && v !== String(value));
      this.#tell();
    }
    get(name) { const found = this.#list.find(([k]) => k === String(name)); return found ? found[1] : null; }
    getAll(name) { return this.#list.filter(([k]) => k === String(name)).map(([, v]) => v); }
    has(name, value) { return this.#list.some(([k, v]) => k === String(name) && (value === undefined || v === String(value))); }
    set(name, value) {
      const at = this.#list.findIndex(([k]) => k === String(name));
      if (at < 0) this.#list.push([String(name), String(value)]);
      else {
        this.#list[at][1] = String(value);
        this.#list = this.#list.filter(([k], i) => i <= at || k !== String(name));
      }
      this.#tell();
    }
    sort() { this.#list.sort((a, b) => a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0); this.#tell(); }
    forEach(f, self) { for (const [k, v] of this.#list) f.call(self, v, k, this); }
    *entries() { for (const [k, v] of this.#list) yield [k, v]; }
    *keys() { for (const [k] of this.#list) yield k; }
    *values() { for (const [, v] of this.#list) yield v; }
    [Symbol.iterator]() { return this.entries(); }
    get [Symbol.toStringTag]() { return "URLSearchParams"; }
    toString() {
      const encode = s => percent(s, "!\"#$%&'()+,/:;<=>?@[\\]^`{|}~").replace(/%20/g, "+");
      return this.#list.map(([k, v]) => encode(k) + "=" + encode(v)).join("&");
    }
  }

  class URL {
    #u; #params = null;
    constructor(input, base) {
      this.#u = read(String(input), base === undefined ? null : read(String(base), null));
    }
    static canParse(input, base) { try { new URL(input, base); return true; } catch (_) { return false; } }
    static parse(input, base) { try { return new URL(input, base); } catch (_) { return null; } }
    #again(f) { try { f(); } catch (_) { /* a setter ignores what it cannot take */ } }
    get href() {
      const u = this.#u;
      let auth = "";
      if (u.host !== null) {
        auth = "//" + (u.user !== "" || u.password !== "" ? u.user + (u.password !== "" ? ":" + u.password : "") + "@" : "") + this.host;
      }
      return u.scheme + auth + this.pathname + (u.query !== null ? "?" + u.query : "") + (u.fragment !== null ? "#" + u.fragment : "");
    }
    set href(v) { this.#u = read(String(v), null); this.#params = null; }
    get origin() { return special(this.#u.scheme) && this.#u.scheme !== "file:" ? this.#u.scheme + "//" + this.host : "null"; }
    get protocol() { return this.#u.scheme; }
    set protocol(v) {
      const s = /^([a-zA-Z][a-zA-Z0-9+.-]*)/.exec(String(v));
      if (!s || special(s[1].toLowerCase() + ":") !== special(this.#u.scheme)) return;
      this.#u.scheme = s[1].toLowerCase() + ":";
      if (ports[this.#u.scheme] === this.#u.port) this.#u.port = "";
    }
    get username() { return this.#u.user; }
    set username(v) { if (this.#u.host) this.#u.user = percent(String(v), inUser); }
    get password() { return this.#u.password; }
    set password(v) { if (this.#u.host) this.#u.password = percent(String(v), inUser); }
    get host() { return (this.#u.host ?? "") + (this.#u.port !== "" ? ":" + this.#u.port : ""); }
    set host(v) {
      this.#again(() => {
        const u = { ...this.#u };
        authority(u, String(v).replace(/[/?#\\].*$/s, "").replace(/^.*@/s, ""), String(v));
        if (this.#u.opaque === null) { this.#u.host = u.host; this.#u.port = u.port; }
      });
    }
    get hostname() { return this.#u.host ?? ""; }
    set hostname(v) { this.#again(() => { if (this.#u.opaque === null) this.#u.host = hostOf(String(v).replace(/[/?#\\:].*$/s, ""), this.#u.scheme, String(v)); }); }
    get port() { return this.#u.port; }
    set port(v) {
      const s = String(v), n = parseInt(s, 10);
      if (s === "") this.#u.port = "";
      else if (n >= 0 && n <= 65535 && this.#u.host) this.#u.port = String(n) === ports[this.#u.scheme] ? "" : String(n);
    }
    get pathname() { const u = this.#u; return u.opaque !== null ? u.opaque : u.path.length > 0 ? "/" + u.path.join("/") : ""; }
    set pathname(v) {
      if (this.#u.opaque !== null) return;
      this.#u.path = pathOf(String(v).replace(special(this.#u.scheme) ? /^[/\\]/ : /^\//, "").replace(/\?/g, "%3F").replace(/#/g, "%23"), [], this.#u.scheme);
    }
    get search() { return this.#u.query ? "?" + this.#u.query : ""; }
    set search(v) {
      const s = String(v).replace(/^\?/, "");
      this.#u.query = s === "" && !String(v).startsWith("?") ? null : percent(s, inQuery + (special(this.#u.scheme) ? "'" : ""));
      this.#params = null;
    }
    get searchParams() {
      if (this.#params === null) this.#params = new URLSearchParams(this.#u.query ?? "", s => { this.#u.query = s === "" ? null : s; });
      return this.#params;
    }
    get hash() { return this.#u.fragment ? "#" + this.#u.fragment : ""; }
    set hash(v) { const s = String(v).replace(/^#/, ""); this.#u.fragment = s === "" ? null : percent(s, inFragment); }
    get [Symbol.toStringTag]() { return "URL"; }
    toString() { return this.href; }
    toJSON() { return this.href; }
  }
  define("URL", URL);
  define("URLSearchParams", URLSearchParams);

  function bytesOf(hex) {
    const bytes = new Uint8Array(hex.length / 2);
    for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(hex.slice(2 * i, 2 * i + 2), 16);
    return bytes;
  }
  function viewOf(data) {
    if (data instanceof ArrayBuffer) return new Uint8Array(data);
    if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    throw new TypeError("the data has to be an ArrayBuffer or a view of one");
  }
  const maxRandom = 65536, maxInput = 4 << 20; // bytes
  const subtle = {
    async digest(algorithm, data) {
      const name = String(typeof algorithm === "object" && algorithm !== null ? algorithm.name : algorithm).toUpperCase();
      if (!["SHA-1", "SHA-256", "SHA-384", "SHA-512"].includes(name)) throw new DOMException("Unrecognized algorithm name: there are SHA-1, SHA-256, SHA-384, SHA-512", "NotSupportedError");
      const bytes = viewOf(data);
      if (bytes.length > maxInput) throw new RangeError("more than " + maxInput + " bytes to hash");
      let text = "";
      for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode.apply(null, bytes.subarray(i, i + 8192));
      return bytesOf(hash(name.toLowerCase().replace("-", ""), text, true, null, false)).buffer;
    },
  };
  define("crypto", {
    subtle,
    getRandomValues(array) {
      if (!ArrayBuffer.isView(array) || array instanceof DataView || array instanceof Float32Array || array instanceof Float64Array) throw new TypeError("getRandomValues takes an array of integers");
      if (array.byteLength > maxRandom) throw new DOMException("getRandomValues gives at most " + maxRandom + " bytes", "QuotaExceededError");
      viewOf(array).set(bytesOf(random(array.byteLength)));
      return array;
    },
    randomUUID() {
      const hex = random(16), variant = "89ab"[parseInt(hex[16], 16) & 3];
      return hex.slice(0, 8) + "-" + hex.slice(8, 12) + "-4" + hex.slice(13, 16) + "-" + variant + hex.slice(17, 20) + "-" + hex.slice(20);
    },
  });
  return { hash, random };
})
