package endpoint

import (
	"crypto/ed25519"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"weir/dataplane/guard"
	"weir/shared/capability"
	"weir/shared/fault"
	"weir/shared/id"
)

// Config is what a Mux needs. All fields are required, Origins may be empty.
type Config struct {
	Plane   id.Plane
	Key     ed25519.PublicKey // of the control plane's capabilities
	Origins []string          // of pages that may ask
	Guard   *guard.Guard
	Now     func() time.Time
	Log     *slog.Logger
}

// Mux is an http.Handler of calls, chosen by patterns as those of http.ServeMux.
type Mux struct {
	cfg Config
	mux *http.ServeMux
}

// New returns a Mux without calls.
func New(cfg Config) *Mux { return &Mux{cfg: cfg, mux: http.NewServeMux()} }

// ServeHTTP answers one request.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Add("Vary", "Origin")
	if origin := r.Header.Get("Origin"); origin != "" {
		if !slices.Contains(m.cfg.Origins, origin) {
			m.refuse(w, r, fault.New(fault.Denied, "Pages of this origin may not ask this plane."))
			return
		}
		h.Set("Access-Control-Allow-Origin", origin)
		if r.Method == http.MethodOptions {
			h.Set("Access-Control-Allow-Methods", "GET, POST")
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
			h.Set("Access-Control-Max-Age", "600")
			if r.Header.Get("Access-Control-Request-Private-Network") == "true" {
				h.Set("Access-Control-Allow-Private-Network", "true") // a console in the internet, a plane at home
			}
			w.WriteHeader(http.StatusNoContent)
			return
		}
	}
	m.mux.ServeHTTP(w, r)
}

// HandleOpen answers requests without a capability.
func (m *Mux) HandleOpen(pattern string, f func(*http.Request) (answer any, err error)) {
	m.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		answer, err := f(r)
		if err != nil {
			m.refuse(w, r, err)
			return
		}
		write(w, http.StatusOK, "application/json", answer)
	})
}

// Handle admits requests to f by their capability and the guard. The answer becomes
// JSON.
func (m *Mux) Handle(pattern string, action capability.Action, f func(*Call) (answer any, err error)) {
	m.handle(pattern, func(r *http.Request) (capability.Grant, error) { return m.admit(r, action) }, f)
}

// HandleMany is Handle, and admits capabilities of several workspaces too: f keeps to
// Call.Workspaces.
func (m *Mux) HandleMany(pattern string, action capability.Action, f func(*Call) (answer any, err error)) {
	m.handle(pattern, func(r *http.Request) (capability.Grant, error) { return m.verify(r, action, true) }, f)
}

func (m *Mux) handle(pattern string, admit func(*http.Request) (capability.Grant, error), f func(*Call) (answer any, err error)) {
	m.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		grant, err := admit(r)
		if err != nil {
			m.refuse(w, r, err)
			return
		}
		answer, err := f(&Call{r, grant, w})
		if err != nil {
			m.refuse(w, r, err)
			return
		}
		write(w, http.StatusOK, "application/json", answer)
	})
}

// HandleKeyed is Handle, and admits servers with a key too: workspace returns whose it is.
// No page may use one.
func (m *Mux) HandleKeyed(pattern string, action capability.Action, workspace func(token string) (id.Workspace, bool), f func(*Call) (answer any, err error)) {
	m.handle(pattern, func(r *http.Request) (capability.Grant, error) {
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		ws, ok := workspace(token)
		switch {
		case !ok:
			return m.admit(r, action)
		case r.Header.Get("Origin") != "":
			return capability.Grant{}, fault.New(fault.Denied, "A key is for servers; a page asks with a capability.")
		}
		return capability.Grant{Plane: m.cfg.Plane, Workspace: ws, Action: action}, m.cfg.Guard.Action(action)
	}, f)
}

// errNoCapability becomes 401; every other refusal of a capability is 403.
var errNoCapability = fault.New(fault.Denied, "Give a capability of the control plane as a bearer token.")

func (m *Mux) admit(r *http.Request, action capability.Action) (capability.Grant, error) {
	return m.verify(r, action, false)
}

func (m *Mux) verify(r *http.Request, action capability.Action, many bool) (capability.Grant, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return capability.Grant{}, errNoCapability
	}
	grant, err := capability.Verify(m.cfg.Key, token, m.cfg.Now(), capability.Want{
		Plane: m.cfg.Plane, Action: action, Origin: r.Header.Get("Origin"), Part: true, Many: many,
	})
	if err != nil {
		return capability.Grant{}, err
	}
	return grant, m.cfg.Guard.Action(action)
}
