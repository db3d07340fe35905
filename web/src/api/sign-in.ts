import { done, http, settle } from "./client";
import { Problem } from "./problem";
import type { components } from "./schema.gen";

export type SignIn = components["schemas"]["SignIn"];
export type Provider = components["schemas"]["IdentityProvider"];
export type NewProvider = components["schemas"]["NewIdentityProvider"];

/** What the organization asks of the sign-ins of its people. */
export async function signIn(signal: AbortSignal): Promise<SignIn> {
  return await settle(http.GET("/api/v1/sign-in", { signal }));
}

export async function requireCode(requireCode: boolean): Promise<SignIn> {
  return await settle(http.PUT("/api/v1/sign-in", { body: { requireCode } }));
}

/** The organization's identity provider; null for none. */
export async function provider(signal: AbortSignal): Promise<Provider | null> {
  try {
    return await settle(http.GET("/api/v1/identity-provider", { signal }));
  } catch (e) {
    if (e instanceof Problem && e.status === 404) return null;
    throw e;
  }
}

/** Sets the provider, which has to answer. */
export async function setProvider(wanted: NewProvider): Promise<Provider> {
  return await settle(http.PUT("/api/v1/identity-provider", { body: wanted }));
}

export async function removeProvider(): Promise<void> {
  await done(http.DELETE("/api/v1/identity-provider"));
}
