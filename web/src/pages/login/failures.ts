import { Problem } from "../../api/problem";

/** Why a sign-in at an identity provider failed, by the code in the address that it leads back to. */
const failures: Record<string, [string, string]> = {
  not_member: ["You are no member of the organization.", "Ask one of its administrators for an invitation."],
  address_refused: [
    "The identity provider names no verified email address of the organization's domains for you.",
    "Ask an owner of the organization which domains may sign in.",
  ],
  sign_in_refused: ["The identity provider did not sign you in, or it took too long.", "Begin again."],
  provider_away: ["The identity provider does not answer.", "Try again, or sign in with your password."],
};

/** Why the sign-in failed that led to this address, if one did. */
export function failedSignIn(): Problem | undefined {
  const code = new URLSearchParams(globalThis.location.search).get("sign-in");
  const [text, remedy] = failures[code ?? ""] ?? [];
  return text === undefined ? undefined : new Problem(401, text, remedy ?? "");
}
