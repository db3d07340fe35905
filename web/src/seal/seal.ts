import { ed25519 } from "@noble/curves/ed25519.js";
import { argon2idAsync } from "@noble/hashes/argon2.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import { AEAD_AES_256_GCM, KDF_HKDF_SHA256, KEM_DHKEM_X25519_HKDF_SHA256 } from "@panva/hpke-noble";
import { CipherSuite } from "hpke";
import type { Plane } from "../api/client";
import { Problem } from "../api/problem";
import type { components } from "../api/schema.gen";
import { checkPin } from "./pins";

export type Sealed = components["schemas"]["Secret"];

/** Which secret a value is; it opens for no other one. */
export type Name = {
  workspace: string;
  family: "source" | "destination";
  object: string;
  field: string;
  version: number;
};

// The same as shared/secret: HPKE with X25519, HKDF-SHA256 and AES-256-GCM. It needs no WebCrypto, which browsers
// withhold from pages without TLS.
export const suite = new CipherSuite(KEM_DHKEM_X25519_HKDF_SHA256, KDF_HKDF_SHA256, AEAD_AES_256_GCM);

/** What a value is bound to beside its workspace; to is where its object's settings send it. */
export function aad(n: Name, to: string): Uint8Array {
  return utf8ToBytes(["weir secret 3", n.family, n.object, n.field, String(n.version), to].join("\0"));
}

/** Closes a value for the owner of a public key: the encapsulated key, then the ciphertext. */
export async function seal(key: Uint8Array, n: Name, to: string, clear: string): Promise<Uint8Array> {
  const owner = await suite.DeserializePublicKey(key);
  const { encapsulatedSecret, ciphertext } = await suite.Seal(owner, utf8ToBytes(clear), {
    aad: aad(n, to),
    info: utf8ToBytes(n.workspace),
  });
  const out = new Uint8Array(encapsulatedSecret.length + ciphertext.length);
  out.set(encapsulatedSecret);
  out.set(ciphertext, encapsulatedSecret.length);
  return out;
}

// What an identity signs a sealing key with; see shared/wire/envelope.
const sealingKey = "weir sealing key 1\0";

// Of Argon2id; see shared/secret/fingerprint.go.
const cost = { t: 2, m: 19 << 10, p: 1, dkLen: 16, asyncTick: 20 };

/** Tells whether a value is still the one that was sealed, and nothing else. It takes a good part of a second. */
export async function fingerprint(n: Name, to: string, clear: string): Promise<string> {
  const salt = sha256(utf8ToBytes(["weir fingerprint 3", n.workspace, n.object, n.field, to].join("\0"))).subarray(
    0,
    16,
  );
  const sum = await argon2idAsync(utf8ToBytes(clear), salt, cost);
  return `3-${bytesToHex(sum)}-${bytesToHex(sha256(utf8ToBytes(to)).subarray(0, 16))}`;
}

/**
 * Closes a value for every plane of a region. A Problem when there is none, or when a plane shows a key that its
 * identity did not sign, or another identity than it showed this browser before.
 */
export async function sealFor(
  planes: readonly Plane[],
  region: string,
  n: Name,
  to: string,
  clear: string,
): Promise<Sealed> {
  const mine = planes.filter((p) => p.region === region);
  if (mine.length === 0)
    throw new Problem(
      409,
      `Region ${region} has no data plane to seal secrets to.`,
      "Invite one on the page of data planes.",
    );
  const sealed: Record<string, string> = {};
  for (const p of mine) {
    const [identity, key, signature] = [p.identityKey, p.sealingKey, p.sealingKeySignature].map(bytesOf) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    if (!vouches(identity, key, signature))
      throw new Problem(
        403,
        `The sealing key of plane ${p.name} is not signed by the plane's identity, so nothing was sealed to it.`,
        "Ask who runs the plane to let it join anew.",
      );
    checkPin(p);
    sealed[p.id] = base64(await seal(key, n, to, clear));
  }
  return { version: n.version, fingerprint: await fingerprint(n, to, clear), sealed };
}

/** Whether the owner of an identity vouches for a sealing key. */
export function vouches(identity: Uint8Array, key: Uint8Array, signature: Uint8Array): boolean {
  const prefix = utf8ToBytes(sealingKey);
  const text = new Uint8Array(prefix.length + key.length);
  text.set(prefix);
  text.set(key, prefix.length);
  try {
    return identity.length === 32 && ed25519.verify(signature, text, identity);
  } catch {
    return false; // it is no signature
  }
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

function base64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(""));
}
