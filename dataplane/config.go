package dataplane

import (
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/dataplane/destination/mapping"
	"weir/dataplane/destinations"
	"weir/dataplane/jobs/temporal"
	"weir/dataplane/plan"
	"weir/dataplane/pull/api"
	"weir/dataplane/queue/natsstore"
	"weir/dataplane/sources"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouses"
	"weir/dataplane/warehouses/duckdb"
	"weir/shared/fault"
	"weir/shared/proxy"
	"weir/shared/telemetry"
	"weir/shared/wire/access"
)

// Where a data plane listens when it is not told.
const (
	defaultGateway = "127.0.0.1:8090"
	defaultView    = "127.0.0.1:8091"
	defaultMetrics = "127.0.0.1:9090"
)

// Files of the data directory, readable by their owner alone, beside those of
// joining.
const (
	dedupeFile = "dedupe.key" // secret of the dedupe keys' hash, base64
	guardFile  = "guard.yaml" // what this plane's owner forbids; absent allows all
)

// defaultVersion is what a plane says it is when nobody told it.
const defaultVersion = "0.1.0"

// leastEvents is how many bytes of each server of the event cluster a plane needs.
const leastEvents = 1 << 30

// Config is how a data plane runs. Only DataDir, which Join filled, is required.
type Config struct {
	DataDir string // keys, configuration and logs
	Hub     string // nats:// or tls:// address of the hub; empty: as told at joining
	Events  string // nats:// or tls:// addresses of the plane's own cluster for events; empty embeds one
	// HubFiles and EventsFiles are for connections to these addresses. A user of the
	// hub named here or in Hub takes the place of the one that joining brought.
	HubFiles, EventsFiles access.Files
	// How the cluster for events keeps the logs: on how many servers (0: 3 where there
	// are as many, never fewer than now), how many bytes of each of them (0: what they
	// and the account allow), and whether they may sync only now and then.
	Replicas      int
	EventsBytes   int64
	AllowLazySync bool

	// Temporal keeps the histories of jobs. Without it nothing else is missing.
	Temporal temporal.Server

	Gateway, View, Metrics string // where it listens, host:port; empty for the defaults
	// GatewayURL and ViewURL are where people and browsers reach it; empty: as
	// told at joining, else where it listens.
	GatewayURL, ViewURL string

	// Certificates and keys in PEM files: with them gateway and view speak TLS. A
	// file that changes is read again.
	GatewayCert, GatewayKey, ViewCert, ViewKey string

	// Linger is how long the gateway still takes connections when it is told to
	// stop, with /ready false: on Kubernetes a few seconds. 0: not at all.
	Linger time.Duration

	// StandardHTTP leaves all HTTP to net/http, without the fast paths of packages
	// httpserve and httpsend.
	StandardHTTP bool

	Connectors     string   // folder of connectors of others that pulled sources may name; empty: none
	AllowPrivate   bool     // destinations may be on private and loopback addresses
	Partitions     int      // of a new plane; 0: as it was, 2 for a new one
	TrustedProxies []string // networks whose X-Forwarded-For is believed, such as 10.0.0.0/8
	// ConnectionsPerAddress is how many connections to the gateway one address may
	// have that is no trusted proxy, or one /64 of IPv6. 0: an eighth of all, 2,048.
	ConnectionsPerAddress int
	Version               string // of the software, semantic
	// Restart starts the process anew and does not return: only that helps an
	// embedded event log that cannot be stopped. nil: the plane takes no events
	// until somebody else does.
	Restart func()
	Log     *slog.Logger
	Traces  *telemetry.Traces // nil: none
}

// check fills in defaults and lists everything that is wrong.
func (c *Config) check() (proxy.Trusted, error) {
	var wrong []error
	refuse := func(format string, args ...any) { wrong = append(wrong, fault.New(fault.Invalid, format, args...)) }
	if c.DataDir == "" {
		refuse("A data plane needs a data directory.")
	}
	if dir, err := filepath.Abs(c.DataDir); err == nil {
		c.DataDir = dir
	}
	for _, a := range []struct {
		name string
		text *string
		def  string
	}{{"gateway", &c.Gateway, defaultGateway}, {"view", &c.View, defaultView}, {"metrics", &c.Metrics, defaultMetrics}} {
		if *a.text == "" {
			*a.text = a.def
		}
		if _, _, err := net.SplitHostPort(*a.text); err != nil {
			refuse("The address %q for the %s is not host:port.", *a.text, a.name)
		}
	}
	for _, p := range []struct{ name, cert, key string }{{"gateway", c.GatewayCert, c.GatewayKey}, {"view", c.ViewCert, c.ViewKey}} {
		if (p.cert == "") != (p.key == "") {
			refuse("The %s needs both a certificate and its key, or none.", p.name)
		}
	}
	if c.Events == "" && (c.EventsFiles != access.Files{} || c.Replicas > 1 || c.EventsBytes != 0 || c.AllowLazySync) {
		refuse("Settings of the event cluster need its address, --events.")
	}
	if c.EventsBytes < 0 || c.EventsBytes > 0 && c.EventsBytes < leastEvents {
		refuse("All logs on a server of the event cluster need 1 GiB at least.")
	}
	if c.Replicas < 0 || c.Replicas > natsstore.MaxReplicas {
		refuse("Each log is kept by 1 to %d servers, not %d.", natsstore.MaxReplicas, c.Replicas)
	}
	if c.Events != "" {
		if _, err := access.Open("events", c.Events, c.EventsFiles); err != nil {
			wrong = append(wrong, err)
		}
	}
	if c.Hub != "" {
		if _, err := access.Open("hub", c.Hub, c.HubFiles); err != nil {
			wrong = append(wrong, err)
		}
	}
	if err := c.Temporal.Check(); err != nil {
		wrong = append(wrong, err)
	}
	if c.Linger < 0 || c.Linger > time.Minute {
		refuse("The gateway may linger up to a minute, not %v.", c.Linger)
	}
	if c.ConnectionsPerAddress < 0 {
		refuse("An address may have some connections to the gateway, not %d.", c.ConnectionsPerAddress)
	}
	trusted, err := proxy.Parse(c.TrustedProxies)
	if err != nil {
		wrong = append(wrong, err)
	}
	if c.Version = strings.TrimPrefix(c.Version, "v"); c.Version == "" {
		c.Version = defaultVersion
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return trusted, errors.Join(wrong...)
}

// Kinds returns everything that this build can run; nobody changes it.
var Kinds = sync.OnceValue(func() plan.Kinds {
	loads := slices.DeleteFunc(warehouses.All(), func(k warehouse.Kind) bool { return !duckdb.Supported && k.Spec.Name == duckdb.Kind().Spec.Name })
	return plan.Kinds{Sources: sources.All(), Pulled: sources.Pulled(), Destinations: slices.Clip(destinations.All()), Custom: mapping.Custom, CustomSource: api.Custom, Warehouses: loads, Layouts: warehouses.Layouts()}
})
