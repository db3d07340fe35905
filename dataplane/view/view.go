package view

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/guard"
	"weir/dataplane/ledger"
	"weir/dataplane/live"
	"weir/dataplane/parked"
	"weir/dataplane/plan"
	"weir/shared/capability"
	"weir/shared/fault"
	"weir/shared/id"
)

// Config is what a view needs. Plane, Key, Guard, Plans and Rows are required;
// calls that need something else which is absent are refused as unavailable.
type Config struct {
	Plane      id.Plane
	Key        ed25519.PublicKey // of the control plane's capabilities, pinned at join
	Origins    []string          // of pages that may ask, pinned at join
	Guard      *guard.Guard
	Plans      *plan.Holder        // names
	Rows       func() []ledger.Row // the books of all partitions, added up
	Dead       []Dead              // by partition
	Live       *live.Hub           // the owner closes it when the plane stops, so that no stream holds it up
	Parked     []Shelf             // by partition
	Quarantine []Shelf             // by partition
	Broken     []Broken            // by partition: what Quarantine lists, to replay and discard
	Warehouses Warehouses
	Query      QueryLimits
	Previews   Previews
	Dial       func(ctx context.Context, network, addr string) (net.Conn, error) // as lanes dial: guard, then egress
	Healthy    func() error                                                      // nil: the plane is well
	Now        func() time.Time                                                  // nil: time.Now
	Log        *slog.Logger                                                      // nil: none
}

// Dead is the dead letters of one partition: those of *deliver.Lanes, or of
// whatever stands before lanes that come and go. fault.Unavailable: they are not
// running at the moment.
type Dead interface {
	List(ctx context.Context, f parked.Filter, after delivery.Place, limit int) ([]parked.DeadLetter, error)
	Redrive(ctx context.Context, f parked.Filter) (moved int, err error)
	// Retransform sends the originals through the transformations again.
	Retransform(ctx context.Context, f parked.Filter) (moved int, err error)
	Discard(ctx context.Context, f parked.Filter) (discarded int, err error)
}

// maxRequest is the longest body of a request, in bytes.
const maxRequest = 1 << 20

// View is an http.Handler.
type View struct {
	cfg Config
	mux *http.ServeMux

	queries, previews, probes slots
}

// New checks cfg.
func New(cfg Config) (*View, error) {
	if !id.Valid(cfg.Plane) || len(cfg.Key) != ed25519.PublicKeySize || cfg.Guard == nil || cfg.Plans == nil || cfg.Rows == nil {
		return nil, fault.New(fault.Internal, "A view needs its plane, the key of capabilities, a guard, plans and books.")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Healthy == nil {
		cfg.Healthy = func() error { return nil }
	}
	cfg.Query = cfg.Query.filled()
	v := &View{cfg: cfg, mux: http.NewServeMux(), queries: make(slots, queriesAtOnce), previews: make(slots, previewsAtOnce), probes: make(slots, probesAtOnce)}
	v.mux.HandleFunc("GET /v1/health", v.health)
	v.handle("GET /v1/ledger", capability.ReadLedger, v.ledger)
	v.handle("GET /v1/dead", capability.ReadDead, v.list)
	v.handle("POST /v1/dead/redrive", capability.RedriveDead, v.redrive)
	v.handle("POST /v1/dead/discard", capability.DiscardDead, v.discard)
	v.stream("GET /v1/live", capability.ReadLive, v.live)
	v.handle("GET /v1/parked", capability.ReadParked, v.parked)
	v.handle("GET /v1/quarantine", capability.ReadQuarantine, v.quarantine)
	v.handle("POST /v1/quarantine/replay", capability.ReplayQuarantine, v.replay)
	v.handle("POST /v1/quarantine/discard", capability.DiscardQuarantine, v.discardBroken)
	v.handle("GET /v1/loads", capability.ReadLoads, v.loads)
	v.stream("POST /v1/query", capability.Query, v.query)
	v.stream("POST /v1/preview/transformation", capability.Preview, v.previewTransformation)
	v.stream("POST /v1/preview/destination", capability.Preview, v.previewDestination)
	v.handle("POST /v1/destinations/test", capability.TestDestination, v.test)
	return v, nil
}

// ServeHTTP answers one request.
func (v *View) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Add("Vary", "Origin")
	if origin := r.Header.Get("Origin"); origin != "" {
		if !slices.Contains(v.cfg.Origins, origin) {
			v.refuse(w, r, fault.New(fault.Denied, "Pages of this origin may not ask this plane."))
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
	most := int64(maxRequest)
	if strings.HasPrefix(r.URL.Path, "/v1/preview/") {
		most = maxPreview
	}
	r.Body = http.MaxBytesReader(w, r.Body, most)
	v.mux.ServeHTTP(w, r)
}

// call is one admitted request.
type call struct {
	*http.Request
	grant capability.Grant
}

// handle admits requests to f by their capability and the guard.
func (v *View) handle(pattern string, action capability.Action, f func(*call) (any, error)) {
	v.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		grant, err := v.admit(r, action)
		if err != nil {
			v.refuse(w, r, err)
			return
		}
		answer, err := f(&call{r, grant})
		if err != nil {
			v.refuse(w, r, err)
			return
		}
		write(w, http.StatusOK, "application/json", answer)
	})
}

// errNoCapability becomes 401; every other refusal of a capability is 403.
var errNoCapability = fault.New(fault.Denied, "Give a capability of the control plane as a bearer token.")

func (v *View) admit(r *http.Request, action capability.Action) (capability.Grant, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return capability.Grant{}, errNoCapability
	}
	grant, err := capability.Verify(v.cfg.Key, token, v.cfg.Now(), capability.Want{
		Plane: v.cfg.Plane, Action: action, Origin: r.Header.Get("Origin"), Part: true,
	})
	if err != nil {
		return capability.Grant{}, err
	}
	return grant, v.cfg.Guard.Action(action)
}

// problem is an error as RFC 9457 writes it, like the control plane's.
type problem struct {
	Type     string          `json:"type"`
	Title    string          `json:"title"`
	Status   int             `json:"status"`
	Detail   string          `json:"detail"`
	Kind     string          `json:"kind"`
	Problems []fault.Problem `json:"problems,omitempty"`
}

// refuse answers with an error. Texts of strangers' errors stay here.
func (v *View) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := problem{Type: "about:blank", Status: http.StatusInternalServerError, Detail: "The plane could not answer; its log says why.", Kind: fault.KindOf(err).String()}
	switch fault.KindOf(err) {
	case fault.Invalid:
		p.Status = http.StatusBadRequest
	case fault.Denied:
		p.Status = http.StatusForbidden
		if errors.Is(err, errNoCapability) {
			p.Status = http.StatusUnauthorized
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
	case fault.Missing:
		p.Status = http.StatusNotFound
	case fault.Conflict:
		p.Status = http.StatusConflict
	case fault.Limited:
		p.Status = http.StatusTooManyRequests
	case fault.Unavailable:
		p.Status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "1")
	default:
		v.cfg.Log.ErrorContext(r.Context(), "view call failed", "path", r.Pattern, "error", err)
	}
	var known *fault.Error
	if p.Status != http.StatusInternalServerError && errors.As(err, &known) {
		p.Detail, p.Problems = known.Text, known.Problems
	}
	p.Title = http.StatusText(p.Status)
	write(w, p.Status, "application/problem+json", p)
}

func write(w http.ResponseWriter, status int, kind string, body any) {
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(body) // the reader went away; there is nobody to tell
}

// decode reads a request's JSON body strictly.
func decode(r *http.Request, v any) error {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fault.New(fault.Invalid, "The body is not the JSON object that this call takes.")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fault.New(fault.Invalid, "Something follows the body's JSON object.")
	}
	return nil
}

func (v *View) health(w http.ResponseWriter, r *http.Request) {
	if err := v.cfg.Healthy(); err != nil {
		v.refuse(w, r, err)
		return
	}
	write(w, http.StatusOK, "application/json", map[string]string{"status": "ok"})
}

// sourceName and destinationName are names where there are any; what was
// removed keeps its identifier.
func (v *View) sourceName(ws id.Workspace, s id.Source) string {
	if p := v.cfg.Plans.Plan(ws); p != nil && p.SourceName(s) != "" {
		return p.SourceName(s)
	}
	return string(s)
}

func (v *View) destinationName(ws id.Workspace, d id.Destination) string {
	if p := v.cfg.Plans.Plan(ws); p != nil && p.DestinationName(d) != "" {
		return p.DestinationName(d)
	}
	return string(d)
}
