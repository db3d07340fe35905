let chosen = "";

/** Makes an organization the one that calls are about; "" is the caller's only one. */
export function chooseOrganization(name: string): void {
  chosen = name;
}

/** The organization that calls are about. */
export function chosenOrganization(): string {
  return chosen;
}

const ofOrganizations =
  /^\/api\/v1\/(?=(?:status|workspaces|capabilities|audit|tokens|members|invitations|sign-in|identity-provider|roles|policies|changes)(?:\/|$))(?!invitations\/accept$)/;

/** A request as it is made in the chosen organization. */
export function scoped(request: Request): Request {
  if (chosen === "") return request;
  const url = new URL(request.url);
  const path = url.pathname.replace(ofOrganizations, `/api/v1/orgs/${encodeURIComponent(chosen)}/`);
  if (path === url.pathname) return request;
  url.pathname = path;
  return new Request(url, request);
}
