import { asksForCode, done, http, settle } from "./client";
import { Problem } from "./problem";
import type { components } from "./schema.gen";

export type Session = components["schemas"]["Session"];
export type Authenticator = components["schemas"]["Authenticator"];
export type Enrolment = components["schemas"]["Enrolment"];
export type OwnToken = components["schemas"]["Token"];

/** What shows that somebody has the account: its password, and a code where it has an authenticator. */
export type Proof = { password: string; code: string };

const bodyOf = ({ password, code }: Proof) => ({ password, ...(code ? { code } : {}) });

/** A refused proof names its own remedy: no administrator can help with a wrong password. */
async function proven<T>(call: Promise<T>): Promise<T> {
  return await call.catch((e: unknown) => {
    if (!(e instanceof Problem) || e.status !== 403) throw e;
    const remedy = asksForCode(e) ? (e.fields[0]?.text ?? "") : "";
    throw new Problem(403, e.message, remedy, e.fields);
  });
}

/** Where the caller is signed in. */
export async function sessions(signal: AbortSignal): Promise<Session[]> {
  return (await settle(http.GET("/api/v1/me/sessions", { signal }))).sessions;
}

export async function endSession(id: string): Promise<void> {
  await done(http.DELETE("/api/v1/me/sessions/{id}", { params: { path: { id } } }));
}

/** Ends every sign-in but this one. How many they were. */
export async function endOtherSessions(): Promise<number> {
  return (await settle(http.DELETE("/api/v1/me/sessions", { params: { query: { others: true } } }))).ended;
}

/** Changes the password; every other session ends. */
export async function changePassword(proof: Proof, password: string): Promise<void> {
  const { password: former, ...code } = bodyOf(proof);
  await proven(done(http.POST("/api/v1/me/password", { body: { former, password, ...code } })));
}

/** Uses an administrator's link to choose a password. */
export async function resetPassword(token: string, password: string): Promise<void> {
  await done(http.POST("/api/v1/password/reset", { body: { token, password } }));
}

export async function authenticator(signal: AbortSignal): Promise<Authenticator> {
  return await settle(http.GET("/api/v1/me/authenticator", { signal }));
}

/** Makes an authenticator, which confirm has sign-ins ask for. Its secret is shown this once. */
export async function enrol(proof: Proof): Promise<Enrolment> {
  return await proven(settle(http.POST("/api/v1/me/authenticator", { body: bodyOf(proof) })));
}

/** Has sign-ins ask for codes from now on; every other session ends. The recovery codes are shown this once. */
export async function confirm(code: string): Promise<string[]> {
  return (await proven(settle(http.POST("/api/v1/me/authenticator/confirm", { body: { code } })))).recoveryCodes;
}

/** Makes recovery codes in place of those that are left. */
export async function newRecoveryCodes(proof: Proof): Promise<string[]> {
  const call = http.POST("/api/v1/me/authenticator/recovery-codes", { body: bodyOf(proof) });
  return (await proven(settle(call))).recoveryCodes;
}

export async function removeAuthenticator(proof: Proof): Promise<void> {
  await proven(done(http.POST("/api/v1/me/authenticator/remove", { body: bodyOf(proof) })));
}

/** API tokens that may what the caller may, such as those of weir login. */
export async function ownTokens(signal: AbortSignal): Promise<OwnToken[]> {
  return (await settle(http.GET("/api/v1/me/tokens", { signal }))).tokens;
}

export async function revokeOwnToken(id: string): Promise<void> {
  await done(http.DELETE("/api/v1/me/tokens/{id}", { params: { path: { id } } }));
}

/** A program that waits for a person to let it in. */
export type DeviceLogin = components["schemas"]["DeviceLogin"];

/** The program that waits with a code; a Problem of status 404 when none does. */
export async function deviceLogin(code: string): Promise<DeviceLogin> {
  return await settle(http.GET("/api/v1/me/device-logins/{code}", { params: { path: { code } } }));
}

/** Lets the program that waits with a code in as the caller, or refuses it. */
export async function decideDevice(code: string, allow: boolean): Promise<void> {
  const params = { path: { code } };
  await done(
    allow
      ? http.POST("/api/v1/me/device-logins/{code}/allow", { params })
      : http.POST("/api/v1/me/device-logins/{code}/refuse", { params }),
  );
}
