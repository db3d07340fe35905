// Package view is what a browser or a command line asks this plane directly:
// the books of a workspace, and its dead letters with their events, which the
// control plane never sees.
//
// Every call but health needs a capability in Authorization: signed by the
// control plane, for this plane, one workspace and one action, minutes old. The
// plane's guard is asked too. Browsers are answered only when their origin was
// pinned at join and is the one the capability was made for. There are no
// cookies, so no page can make a browser ask for somebody else.
package view
