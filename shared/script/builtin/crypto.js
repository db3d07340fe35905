// crypto: the part of Node's module of this name that hashes, and the same in one
// call. The work is done outside of the engine, by the functions of $weir.
const { hash, random } = $weir;
const algorithms = ["md5", "sha1", "sha256", "sha384", "sha512"];
const maxInput = 4 << 20; // bytes of one digest

function algorithm(name) {
  const known = String(name).toLowerCase().replace(/^sha-/, "sha");
  if (!algorithms.includes(known)) throw new RangeError("crypto: there is no algorithm " + JSON.stringify(String(name)) + "; there are " + algorithms.join(", "));
  return known;
}

// binary is bytes as a text of one character for each.
function binary(bytes) {
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode.apply(null, bytes.subarray(i, i + 8192));
  return text;
}

function bytesOf(hex) {
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

// input is data as [text, whether each character is a byte].
function input(data, encoding) {
  if (typeof data === "string") {
    switch (encoding === undefined ? "utf8" : String(encoding).toLowerCase()) {
      case "utf8": case "utf-8": return [data.toWellFormed(), false];
      case "latin1": case "binary": return [data.replace(/[^\x00-\xff]/g, c => String.fromCharCode(c.charCodeAt(0) & 255)), true];
      case "hex":
        if (!/^([0-9a-f]{2})*$/i.test(data)) throw new TypeError("crypto: the text is not hex");
        return [binary(bytesOf(data)), true];
      case "base64": case "base64url": return [atob(data.replace(/-/g, "+").replace(/_/g, "/").replace(/=+$/, "")), true];
    }
    throw new RangeError("crypto: there is no encoding " + JSON.stringify(String(encoding)) + "; there are utf8, latin1, hex, base64, base64url");
  }
  if (data instanceof ArrayBuffer) return [binary(new Uint8Array(data)), true];
  if (ArrayBuffer.isView(data)) return [binary(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)), true];
  throw new TypeError("crypto: data has to be a string, an ArrayBuffer or a view of one, and is " + (data === null ? "null" : typeof data));
}

// output is a digest, in hex, in the encoding that was asked for.
function output(hex, encoding) {
  if (encoding === undefined || encoding === null || encoding === "buffer") return bytesOf(hex);
  switch (String(encoding).toLowerCase()) {
    case "hex": return hex;
    case "base64": return btoa(binary(bytesOf(hex)));
    case "base64url": return btoa(binary(bytesOf(hex))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
    case "latin1": case "binary": return binary(bytesOf(hex));
  }
  throw new RangeError("crypto: there is no encoding " + JSON.stringify(String(encoding)) + "; there are hex, base64, base64url, latin1");
}

class Digest {
  #name; #key; #parts = []; #size = 0; #done = false;
  constructor(name, key) {
    this.#name = algorithm(name);
    this.#key = key;
  }
  update(data, encoding) {
    if (this.#done) throw new Error("crypto: digest was called already");
    const part = input(data, encoding);
    this.#size += part[0].length;
    if (this.#size > maxInput) throw new RangeError("crypto: more than " + maxInput + " bytes to hash");
    this.#parts.push(part);
    return this;
  }
  digest(encoding) {
    if (this.#done) throw new Error("crypto: digest was called already");
    this.#done = true;
    let text = "", bytes = this.#parts.some(p => p[1]);
    for (const [part, isBytes] of this.#parts) text += bytes && !isBytes ? binary(new TextEncoder().encode(part)) : part;
    const [key, keyBytes] = this.#key ?? [null, false];
    return output(hash(this.#name, text, bytes, key, keyBytes), encoding);
  }
  copy() {
    if (this.#done) throw new Error("crypto: digest was called already");
    const other = new Digest(this.#name, this.#key);
    other.#parts = this.#parts.slice();
    other.#size = this.#size;
    return other;
  }
}

export function createHash(name) { return new Digest(name); }
export function createHmac(name, key) { return new Digest(name, input(key)); }
export function getHashes() { return algorithms.slice(); }

// In one call: data is a string or bytes, the answer hex or as encoding says.
export function md5(data, encoding = "hex") { return createHash("md5").update(data).digest(encoding); }
export function sha1(data, encoding = "hex") { return createHash("sha1").update(data).digest(encoding); }
export function sha256(data, encoding = "hex") { return createHash("sha256").update(data).digest(encoding); }
export function sha384(data, encoding = "hex") { return createHash("sha384").update(data).digest(encoding); }
export function sha512(data, encoding = "hex") { return createHash("sha512").update(data).digest(encoding); }
export function hmac(name, key, data, encoding = "hex") { return createHmac(name, key).update(data).digest(encoding); }

export function randomUUID() { return crypto.randomUUID(); }
export function getRandomValues(array) { return crypto.getRandomValues(array); }
export function randomBytes(size) {
  if (!(size >= 0 && size <= 65536)) throw new RangeError("crypto: randomBytes gives 0 to 65536 bytes");
  return bytesOf(random(Math.floor(size)));
}
export function timingSafeEqual(a, b) {
  const [x] = input(a), [y] = input(b);
  if (x.length !== y.length) throw new RangeError("crypto: inputs have to be of one length");
  let different = 0;
  for (let i = 0; i < x.length; i++) different |= x.charCodeAt(i) ^ y.charCodeAt(i);
  return different === 0;
}

const subtle = crypto.subtle;
export { subtle };
export default { createHash, createHmac, getHashes, md5, sha1, sha256, sha384, sha512, hmac, randomUUID, getRandomValues, randomBytes, timingSafeEqual, subtle };
