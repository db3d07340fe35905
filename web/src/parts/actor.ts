/** Who did something, as people call them: a person by the address, a token or service account by its kind and name. */
export function actorText(actor: string): string {
  const [, kind, name] = /^([a-z]+):(.+)$/.exec(actor) ?? [];
  if (kind === undefined || name === undefined) return actor;
  return kind === "person" || kind === "user" ? name : `${kind} ${name}`;
}
