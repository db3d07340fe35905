package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/sync/semaphore"

	"weir/dataplane/event"
	"weir/dataplane/ingest/body"
	"weir/dataplane/ingest/ratelimit"
	"weir/dataplane/ingest/tally"
	"weir/shared/fault"
	"weir/shared/processors"
	"weir/shared/proxy"
)

// Limits of one request.
const (
	// MaxBody is the longest body in bytes, after unzipping.
	MaxBody = 4 << 20
	// appendTimeout is how long a request that takes several calls of Append waits
	// until its events are durable.
	appendTimeout = 10 * time.Second
	// parseTimeout is how long a request waits for its turn to be parsed.
	parseTimeout = 5 * time.Second
	// appendBytes is how much of a request goes to Append at once, so that a
	// large one fits beside others into the queue's bound of waiting bytes.
	appendBytes = 4 << 20
	// eventBytes is what an event takes beside its JSON, for the bound of memory.
	eventBytes = 256
)

// Config is what a Gateway needs.
type Config struct {
	// Kinds are the source kinds of this plane. Required.
	Kinds []Kind
	// Source finds what a write key opens. Required; called once a request, from
	// many goroutines.
	Source func(writeKey string) (Entry, bool)
	// Waits reports whether a write key that opens nothing may be one of a workspace
	// that cannot be loaded now: it is answered with 503 instead of 401, upon which
	// SDKs drop events. nil: none is.
	Waits func(writeKey string) bool
	// Append makes events durable and owns them from then on. Required. It has to
	// return within seconds, also when its context has no deadline. An error of
	// kind fault.Limited or fault.Unavailable is answered with 503; the code of its
	// first problem, if it has one, is the code of the answer.
	Append func(context.Context, []event.Event) error
	// Ready says why an event would not be accepted now. Nil: always ready.
	Ready func() error
	// Version is what GET /version answers.
	Version string
	// TrustedProxies are the peers whose X-Forwarded-For counts, and who may have all
	// connections.
	TrustedProxies proxy.Trusted
	// Now is the server's clock; nil means time.Now.
	Now func() time.Time
	// Log gets broken invariants, nothing per event; nil means none.
	Log *slog.Logger
	// MaxMemory bounds the bytes that all requests hold together, 0 means 256 MiB:
	// half of it bodies, half of it events on their way to the log, so that bodies
	// that still arrive never keep out the events of those that did. A quarter of
	// the bodies' half is for those whose write key is not known yet, because it
	// stands in them, so that nobody without a key keeps out who has one; of the
	// rest one workspace may have half. Past it a request is answered with 503. What
	// is being unzipped and parsed, which few requests are at once, comes on top.
	MaxMemory int64
}

// Gateway is the HTTP handler of a plane's front door.
type Gateway struct {
	config    Config
	sources   map[string]Source
	router    *echo.Echo
	counters  tally.Counters
	latencies latencies
	limits    ratelimit.Limits[tally.Key]
	bodies    *body.Pool
	unwritten body.Budget // bytes of events
	draining  atomic.Bool
	parsing   *semaphore.Weighted // a turn for each request that is being parsed

	// When was logged that a request broke, a connection was closed at once, a body was late.
	logged, turnedAway, slow ratelimit.Rarely
}

// New returns a Gateway. fault.Invalid: required fields of c are missing.
func New(c Config) (*Gateway, error) {
	var ps []fault.Problem
	need := func(ok bool, field string) {
		if !ok {
			ps = append(ps, fault.Problem{Path: field, Code: "required", Text: "This field is required."})
		}
	}
	need(len(c.Kinds) > 0, "Kinds")
	need(c.Source != nil, "Source")
	need(c.Append != nil, "Append")
	if err := fault.Problems("The gateway cannot be made.", ps); err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.MaxMemory == 0 {
		c.MaxMemory = 256 << 20
	}
	g := &Gateway{
		config:   c,
		sources:  make(map[string]Source, len(c.Kinds)),
		counters: tally.Counters{Share: c.MaxMemory * 3 / 16},
		bodies: body.NewPool(body.Config{
			MaxBytes: MaxBody, Memory: c.MaxMemory * 3 / 8, Strangers: c.MaxMemory / 8,
			Timeout: readTimeout, StallTimeout: stallTimeout, Grace: graceTime, MinRate: minRate, TurnTimeout: parseTimeout,
		}),
		unwritten: body.Budget{Max: c.MaxMemory / 2},
		parsing:   semaphore.NewWeighted(2 * int64(processors.Count())),
	}
	for _, k := range c.Kinds {
		g.sources[k.Spec.Name] = k.Source
	}
	g.routes()
	return g, nil
}

// calls are the last parts of the paths under /v1 that take events.
var calls = [...]struct {
	path string
	call Call
}{
	{"identify", Identify}, {"track", Track}, {"page", Page}, {"screen", Screen}, {"group", Group},
	{"alias", Alias}, {"merge", Merge}, {"batch", Batch}, {"import", Import},
	{"i", Identify}, {"t", Track}, {"p", Page}, {"s", Screen}, {"g", Group}, {"a", Alias}, {"b", Batch},
}

// pixelCalls is how many of the calls, from the first, a pixel can make.
const pixelCalls = 6

// routes makes the router.
func (g *Gateway) routes() {
	e := echo.New()
	e.Logger.SetOutput(io.Discard)
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		g.drain(c)
		var he *echo.HTTPError
		switch errors.As(err, &he); {
		case he != nil && he.Code == http.StatusMethodNotAllowed:
			refuse(c.Response(), failMethod, nil)
		case he != nil && he.Code == http.StatusNotFound:
			refuse(c.Response(), failPath, nil)
		default:
			refuse(c.Response(), failInternal, nil)
		}
	}
	for _, p := range calls {
		take := g.handle(p.call)
		e.POST("/v1/"+p.path, take)
		e.POST("/v1/"+p.path+"/", take)
	}
	for _, slash := range [...]string{"", "/"} {
		e.POST("/beacon/v1/batch"+slash, g.handle(Batch))
		e.POST("/v1/webhook"+slash, g.handle(webhook))
		e.GET("/v1/webhook"+slash, g.handle(webhook))
		e.GET("/pixel/v1/track"+slash, g.pixel(Track))
		e.GET("/pixel/v1/page"+slash, g.pixel(Page))
		for _, p := range calls[:pixelCalls] {
			e.GET("/v1/pixel/"+p.path+slash, g.dataPixel(p.call))
		}
	}
	e.POST("/v1/m", g.metrics)
	e.POST("/v1/m/", g.metrics)
	for path, handle := range map[string]echo.HandlerFunc{
		"/health": health, "/ready": g.ready, "/version": g.version,
		"/sourceConfig": g.sourceConfig, "/v1/projects/:writeKey/settings": g.settings, "/cluster-info": cluster,
	} {
		for _, path := range []string{path, path + "/"} {
			e.GET(path, handle)
			e.HEAD(path, handle)
		}
	}
	g.router = e
}

// drain reads a body that nobody wants.
func (g *Gateway) drain(c echo.Context) {
	b := g.bodies.Open(c.Response(), c.Request())
	defer b.Release()
	b.Drain(c.Request())
}

var slashes = regexp.MustCompile("//+")

// handle makes a route of a call.
func (g *Gateway) handle(call Call) echo.HandlerFunc {
	return func(c echo.Context) error {
		g.accept(c.Response(), c.Request(), call)
		return nil
	}
}

// ServeHTTP answers one request.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if broken := recover(); broken != nil {
			if err, ok := broken.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(broken)
			}
			// The value may hold what a client sent, so only its type is told.
			g.config.Log.ErrorContext(r.Context(), "request panicked", "type", fmt.Sprintf("%T", broken), "stack", string(debug.Stack()))
			refuse(w, failInternal, nil)
		}
	}()
	if g.draining.Load() {
		w.Header().Set("Connection", "close")
	}
	if cors(w, r) {
		return
	}
	if strings.Contains(r.URL.Path, "//") && r.URL.RawPath == "" { // an address that ends with a slash, and a path behind
		r.URL.Path = slashes.ReplaceAllLiteralString(r.URL.Path, "/")
	}
	g.router.ServeHTTP(w, r)
}

// cors lets any page send and read, with credentials: a write key is public, and
// a cookie means nothing here. It reports whether r was a preflight, which it
// then answered.
func cors(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header["Origin"]
	if len(origin) == 0 {
		return false
	}
	h := w.Header()
	h["Access-Control-Allow-Origin"] = origin[:1:1]
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Vary", "Origin")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		h.Set("Access-Control-Expose-Headers", "Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset")
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, OPTIONS")
	if asked := r.Header["Access-Control-Request-Headers"]; len(asked) > 0 {
		h["Access-Control-Allow-Headers"] = asked
	}
	h.Set("Access-Control-Max-Age", "900")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// health answers that the process is alive.
func health(c echo.Context) error {
	answer(c.Response(), http.StatusOK, []byte(`{"status":"ok"}`))
	return nil
}

// ready answers whether an event would be accepted now.
func (g *Gateway) ready(c echo.Context) error {
	if g.draining.Load() {
		refuse(c.Response(), failDraining, nil)
		return nil
	}
	if g.config.Ready != nil {
		if err := g.config.Ready(); err != nil {
			refuse(c.Response(), failure{http.StatusServiceUnavailable, codeOf(err, "not_ready"), "The plane cannot take events now.", retrySoon}, nil)
			return nil
		}
	}
	answer(c.Response(), http.StatusOK, []byte(`{"status":"ready"}`))
	return nil
}

// version answers which software this is.
func (g *Gateway) version(c echo.Context) error {
	out := append([]byte(`{"version":`), quote(g.config.Version)...)
	answer(c.Response(), http.StatusOK, append(out, '}'))
	return nil
}
