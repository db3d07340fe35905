// Package action names what an actor may be allowed to do.
package action

// Action is one thing that an actor may be allowed to do, a line of policy/actions.json.
type Action string

// The actions. A capability's action is its plane's action behind "capability:".
const (
	ReadSelf              Action = "self:read"
	WriteSelf             Action = "self:write" // the caller's own password, sessions and tokens
	ReadCatalog           Action = "catalog:read"
	ReadPlanes            Action = "plane:read"
	InvitePlane           Action = "plane:invite"
	RemovePlane           Action = "plane:remove"
	WriteOrganizations    Action = "org:write"
	ListWorkspaces        Action = "workspace:list" // those that the caller may read
	ReadWorkspace         Action = "workspace:read"
	DiffWorkspace         Action = "workspace:diff"
	WriteWorkspace        Action = "workspace:write"
	DeleteWorkspace       Action = "workspace:delete"
	ReadStatus            Action = "status:read"
	ReadMembers           Action = "member:read"
	WriteMembers          Action = "member:write"
	WriteRoles            Action = "role:write" // those that the organization makes
	ReadPolicies          Action = "policy:read"
	WritePolicies         Action = "policy:write"
	ApproveChanges        Action = "change:approve" // of others
	ReadTokens            Action = "token:read"
	WriteTokens           Action = "token:write"
	ReadAudit             Action = "audit:read"
	ReadInstallationAudit Action = "audit:installation"
)

// Capability names the action of asking for a capability to do what on a plane.
func Capability(what string) Action { return Action("capability:" + what) }
