// @vitest-environment node
import { hexToBytes } from "@noble/hashes/utils.js";
import { expect, test } from "vitest";
import kept from "../../../shared/secret/testdata/kept.json";
import type { Plane } from "../api/client";
import { newId } from "./id";
import { aad, fingerprint, type Name, seal, sealFor, suite } from "./seal";

const name: Name = { workspace: "ws_a", family: "destination", object: "dst_a", field: "headers", version: 2 };
const place = "webhook url=https://a.example:443";
const clear = '{"Authorization":"hunter2"}';

async function opened(key: Uint8Array, sealed: Uint8Array, n: Name, to: string): Promise<string> {
  const owner = await suite.DeserializePrivateKey(key);
  const out = await suite.Open(owner, sealed.subarray(0, 32), sealed.subarray(32), {
    aad: aad(n, to),
    info: new TextEncoder().encode(n.workspace),
  });
  return new TextDecoder().decode(out);
}

test("an envelope that the command line made opens here", async () => {
  expect(await opened(hexToBytes(kept.key), hexToBytes(kept.bound), name, place)).toBe(clear);
});

test("what is sealed here opens for its key, name and place alone", async () => {
  const key = hexToBytes(kept.key);
  const owner = await suite.DeserializePrivateKey(key);
  const { x25519 } = await import("@noble/curves/ed25519.js");
  const sealed = await seal(x25519.getPublicKey(key), name, place, clear);
  expect(owner).toBeDefined();
  expect(await opened(key, sealed, name, place)).toBe(clear);
  await expect(opened(key, sealed, { ...name, version: 3 }, place)).rejects.toThrow();
  await expect(opened(key, sealed, { ...name, workspace: "ws_b" }, place)).rejects.toThrow();
  await expect(opened(key, sealed, name, "webhook url=https://b.example:443")).rejects.toThrow();
});

test("a fingerprint is the one that the command line makes", async () => {
  expect(await fingerprint(name, place, "hunter2")).toBe(kept.fingerprint);
});

test("nothing is sealed to a key that the plane's identity did not sign", async () => {
  const foreign = {
    id: "pl_one",
    name: "eu-1",
    region: "eu",
    identityKey: btoa("x".repeat(32)),
    sealingKey: btoa("y".repeat(32)),
    sealingKeySignature: btoa("z".repeat(64)),
  } as Plane;
  await expect(sealFor([foreign], "eu", name, place, clear)).rejects.toThrow(/not signed/);
  await expect(sealFor([], "eu", name, place, clear)).rejects.toThrow(/no data plane/);
});

test("identifiers are of the control plane's form, and no two are equal", () => {
  const ids = Array.from({ length: 100 }, () => newId("dst"));
  expect(new Set(ids).size).toBe(100);
  for (const id of ids) expect(id).toMatch(/^dst_[a-z2-7]{16}$/);
});
