const alphabet = "abcdefghijklmnopqrstuvwxyz234567";

/** A new identifier as the control plane makes them: a prefix and 80 random bits in base 32. */
export function newId(prefix: "ws" | "src" | "dst" | "tf"): string {
  let text = "";
  let [bits, held] = [0, 0];
  for (const byte of crypto.getRandomValues(new Uint8Array(10))) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += alphabet[(held >> bits) & 31];
    }
  }
  return `${prefix}_${text}`;
}
