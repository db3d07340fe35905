package natsstore_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"weir/dataplane/queue"
	"weir/dataplane/queue/natsstore"
	"weir/shared/fault"
)

// tenant is an account of the test's servers, with a user of its name.
type tenant struct {
	name   string
	limits *server.JetStreamAccountLimits // nil: no JetStream
	sees   bool                           // it may ask the servers how they keep streams
}

var unlimited = server.JetStreamAccountLimits{MaxMemory: -1, MaxStore: -1, MaxStreams: -1, MaxConsumers: -1}

// runServers runs n servers that are one cluster, on free ports. A server needs as many
// routes as there are others when it starts; gossip tells those that did not run yet.
func runServers(t *testing.T, n int, options func(int) *server.Options) []*server.Server {
	t.Helper()
	var all []*server.Server
	for i := range n {
		opts := options(i)
		opts.Host, opts.Port = "127.0.0.1", server.RANDOM_PORT
		if n > 1 {
			opts.Cluster.Name, opts.Cluster.Host, opts.Cluster.Port, opts.Routes = "c", "127.0.0.1", server.RANDOM_PORT, nil
			for other := range n - 1 {
				address := fmt.Sprintf("nats://127.0.0.1:%d", other+1) // nobody is there
				if other < i {
					address = "nats://" + all[other].ClusterAddr().String()
				}
				opts.Routes = append(opts.Routes, server.RoutesFromStr(address)...)
			}
		}
		srv, err := server.NewServer(opts)
		if err != nil {
			t.Fatal(err)
		}
		srv.Start()
		t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
		if !srv.ReadyForConnections(time.Minute) {
			t.Fatal("a server does not start")
		}
		all = append(all, srv)
	}
	wait(t, "the servers have a leader and all are its peers", func() bool {
		for _, srv := range all {
			if n > 1 && srv.JetStreamIsLeader() && len(srv.JetStreamClusterPeers()) == n {
				return true
			}
		}
		return n == 1
	})
	return all
}

// startServers runs n servers that are one cluster, with an account for each tenant.
func startServers(t *testing.T, n int, change func(*server.Options), tenants ...tenant) []*server.Server {
	t.Helper()
	all := runServers(t, n, func(i int) *server.Options {
		opts := &server.Options{
			ServerName: fmt.Sprintf("n%d", i+1), NoSigs: true, NoLog: true,
			JetStream: true, StoreDir: t.TempDir(), SyncAlways: true, MaxPayload: queue.MaxPayload, SystemAccount: "SYS",
		}
		system := server.NewAccount("SYS")
		opts.Accounts = append(opts.Accounts, system)
		if err := system.AddServiceExportWithResponse("$SYS.REQ.SERVER.PING.JSZ", server.Streamed, nil); err != nil {
			t.Fatal(err)
		}
		for _, ten := range tenants {
			a := server.NewAccount(ten.name)
			if ten.sees {
				if err := a.AddServiceImport(system, "$SYS.REQ.SERVER.PING.JSZ", "$SYS.REQ.SERVER.PING.JSZ"); err != nil {
					t.Fatal(err)
				}
			}
			opts.Accounts = append(opts.Accounts, a)
			opts.Users = append(opts.Users, &server.User{Username: ten.name, Password: "s3cret", Account: a})
		}
		if change != nil {
			change(opts)
		}
		return opts
	})
	for _, srv := range all {
		for _, ten := range tenants {
			if ten.limits == nil {
				continue
			}
			a, err := srv.LookupAccount(ten.name)
			if err != nil {
				t.Fatal(err)
			}
			if err := a.EnableJetStream(map[string]server.JetStreamAccountLimits{"": *ten.limits}, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	return all
}

// addressOf is the address of servers for a tenant.
func addressOf(servers []*server.Server, tenant string) string {
	var all []string
	for _, srv := range servers {
		all = append(all, strings.Replace(srv.ClientURL(), "://", "://"+tenant+":s3cret@", 1))
	}
	return strings.Join(all, ",")
}

// copies returns how many servers keep each stream of a tenant.
func copies(t *testing.T, servers []*server.Server, tenant string) map[string]int {
	t.Helper()
	nc, err := nats.Connect(servers[0].ClientURL(), nats.UserInfo(tenant, "s3cret"))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	list := js.StreamNames(t.Context()) // a list of what they tell leaves out those that do not answer in time
	for name := range list.Name() {
		wait(t, name+" tells of itself", func() bool {
			stream, err := js.Stream(t.Context(), name)
			if err == nil {
				found[name] = stream.CachedInfo().Config.Replicas
			}
			return err == nil
		})
	}
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

// each reports whether n servers keep META and every log; with three there is DETOUR.
func each(found map[string]int, n int) bool {
	for _, have := range found {
		if have != n {
			return false
		}
	}
	return found["EVENTS_0"] == n && found["STAGE_0"] == n && found["KV_META"] == n && (n < 3 || found["DETOUR_0"] == n)
}

func TestThreeServersKeepWhatAPlaneWrites(t *testing.T) {
	t.Parallel()
	servers := startServers(t, 3, func(o *server.Options) { o.JetStreamMaxStore = 60 << 30 }, tenant{name: "fresh", limits: &unlimited, sees: true}, tenant{name: "grown", limits: &unlimited}, tenant{name: "five", limits: &unlimited})

	t.Run("by default", func(t *testing.T) {
		s := open(t, natsstore.Config{Address: addressOf(servers[:1], "fresh"), Partitions: 1})
		if got, want := s.Limit(queue.Events), int64(60<<30)/10*6/100*32; got != want {
			t.Errorf("EVENTS may hold %d bytes, want %d: a third of six tenths of what the servers have", got, want)
		}
		if found := copies(t, servers, "fresh"); !each(found, 3) {
			t.Errorf("streams have these copies: %v, want 3 of each", found)
		}
		if synced, lazy := s.Cluster().Synced, s.Cluster().Lazy; !synced || len(lazy) > 0 {
			t.Error("servers that sync and say so are not seen to")
		}
		mustAppend(t, s.Log(queue.Events, 0), "", "x")
	})
	t.Run("from one server on, with what is there", func(t *testing.T) {
		cfg := natsstore.Config{Address: addressOf(servers, "grown"), Partitions: 1, Replicas: 1, MaxBytes: 1 << 30}
		s := open(t, cfg)
		if found := copies(t, servers, "grown"); !each(found, 1) {
			t.Errorf("streams have these copies: %v, want the one that was asked for", found)
		}
		const n = 200
		for i := range n {
			mustAppend(t, s.Log(queue.Events, 0), "", fmt.Sprint(i))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		cfg.Replicas, cfg.Log = 0, slog.New(slog.NewTextHandler(&log, nil))
		s = open(t, cfg)
		if found := copies(t, servers, "grown"); !each(found, 3) {
			t.Errorf("streams have these copies: %v, want 3 of each", found)
		}
		next := 0
		for r, err := range s.Log(queue.Events, 0).ReadTo(t.Context(), 1, "") {
			if err != nil || string(r.Data) != fmt.Sprint(next) {
				t.Fatalf("record %d is %q, %v", next, r.Data, err)
			}
			next++
		}
		if next != n || mustAppend(t, s.Log(queue.Events, 0), "", "more") != n+1 {
			t.Errorf("%d records are there, want %d", next, n)
		}
		synced := s.Cluster().Synced
		if text := log.String(); !strings.Contains(text, "copies of logs are complete") || synced || !strings.Contains(text, "sync_interval: always") {
			t.Errorf("the log does not say what was done, and what cannot be seen:\n%s", text)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		open(t, cfg)
		cfg.Replicas = 1
		open(t, cfg)
		if found := copies(t, servers, "grown"); !each(found, 1) {
			t.Errorf("streams have these copies: %v, want the one that was asked for", found)
		}
	})
	t.Run("not on servers that are not there", func(t *testing.T) {
		refused(t, natsstore.Config{Address: addressOf(servers, "five"), Replicas: 5}, "start those that are missing", "--replicas")
	})
	t.Run("while one is away", func(t *testing.T) {
		servers[2].Shutdown()
		s := open(t, natsstore.Config{Address: addressOf(servers, "fresh")})
		wait(t, "an append is taken", func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			_, err := s.Log(queue.Events, 0).Append(ctx, "", []byte("y"))
			return err == nil
		})
	})
}

// refused opens a store that is refused as invalid with all of says, and no password.
func refused(t *testing.T, cfg natsstore.Config, says ...string) {
	t.Helper()
	s, err := natsstore.Open(t.Context(), cfg)
	if err == nil {
		_ = s.Close()
	}
	for _, text := range says {
		if err == nil || fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), text) {
			t.Errorf("Open = %v, want invalid with %q", err, text)
		}
	}
	if err != nil && strings.Contains(err.Error(), "s3cret") {
		t.Errorf("the password is in %v", err)
	}
}

func TestWhatServersDoNotOfferIsSaidAtTheStart(t *testing.T) {
	t.Parallel()
	limited := func(change func(*server.JetStreamAccountLimits)) *server.JetStreamAccountLimits {
		l := unlimited
		change(&l)
		return &l
	}
	servers := startServers(t, 1, func(o *server.Options) {
		o.SyncAlways, o.SyncInterval, o.JetStreamMaxStore = false, time.Minute, 100<<30
	},
		tenant{name: "none"}, tenant{name: "any", limits: &unlimited}, tenant{name: "other", limits: &unlimited}, tenant{name: "sees", limits: &unlimited, sees: true},
		tenant{name: "streams", limits: limited(func(l *server.JetStreamAccountLimits) { l.MaxStreams = 3 })},
		tenant{name: "consumers", limits: limited(func(l *server.JetStreamAccountLimits) { l.MaxConsumers = 3 })},
		tenant{name: "store", limits: limited(func(l *server.JetStreamAccountLimits) { l.MaxStore = 1 << 20 })},
		tenant{name: "stream", limits: limited(func(l *server.JetStreamAccountLimits) { l.StoreMaxStreamBytes = 1 << 20 })},
		tenant{name: "room", limits: limited(func(l *server.JetStreamAccountLimits) { l.MaxStore = 10 << 30; l.MaxBytesRequired = true })},
	)
	for name, says := range map[string][]string{
		"none": {"may not use JetStream"}, "sees": {"n1 (every 1m0s)", "sync_interval: always", "--allow-lazy-sync"},
		"streams": {"max_streams"}, "consumers": {"max_consumers"}, "store": {"max_file"}, "stream": {"disk_max_stream_bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, natsstore.Config{Address: addressOf(servers, name)}, says...)
		})
	}
	t.Run("several", func(t *testing.T) {
		t.Parallel()
		refused(t, natsstore.Config{Address: addressOf(servers, "other"), Replicas: 3}, "--replicas 1")
	})
	t.Run("too many bytes", func(t *testing.T) {
		t.Parallel()
		refused(t, natsstore.Config{Address: addressOf(servers, "room"), MaxBytes: 20 << 30}, "--events-bytes")
	})
	t.Run("more than the servers have", func(t *testing.T) {
		t.Parallel()
		refused(t, natsstore.Config{Address: addressOf(servers, "other"), MaxBytes: 1 << 50}, "--events-bytes", "max_file_store")
	})
	t.Run("lazy sync where it is wanted", func(t *testing.T) {
		t.Parallel()
		s := open(t, natsstore.Config{Address: addressOf(servers, "sees"), LazySync: true, MaxBytes: 1 << 30})
		if synced, lazy := s.Cluster().Synced, s.Cluster().Lazy; synced || len(lazy) != 1 || lazy[0] != "n1" {
			t.Errorf("a server that does not sync: seen to %v, those that do not are %v", synced, lazy)
		}
	})
	t.Run("nine tenths of the account", func(t *testing.T) {
		t.Parallel()
		cfg := natsstore.Config{Address: addressOf(servers, "room"), Partitions: 1}
		s := open(t, cfg)
		want := int64(10<<30) / 10 * 9 / 100 * 32
		if got := s.Limit(queue.Events); got != want {
			t.Errorf("EVENTS may hold %d bytes, want %d", got, want)
		}
		_ = s.Close()
		cfg.MaxBytes = 1 << 30
		if s := open(t, cfg); s.Limit(queue.Parked) != 1<<30/100*20 {
			t.Errorf("PARKED may hold %d bytes of 1 GiB", s.Limit(queue.Parked))
		}
	})
}

// TestAClusterTakesWhatWasAcknowledgedPastALimit in the logs that take what leaves
// EVENTS, and refuses it elsewhere; the next start gives the log a limit again.
func TestAClusterTakesWhatWasAcknowledgedPastALimit(t *testing.T) {
	t.Parallel()
	demanding := unlimited
	demanding.MaxBytesRequired = true
	servers := startServers(t, 1, func(o *server.Options) { o.JetStreamMaxStore = 60 << 30 }, tenant{name: "free", limits: &unlimited}, tenant{name: "bound", limits: &demanding})
	record := bytes.Repeat([]byte("x"), 7<<20)
	for _, name := range []string{"free", "bound"} {
		cfg := natsstore.Config{Address: addressOf(servers, name), Partitions: 1, MaxBytes: 1 << 20} // so that each log has the least limit
		s := open(t, cfg)
		fill := func(k queue.Kind) (n int, err error) {
			for ; n < 12 && err == nil; n++ { // the limit is four records and some
				_, err = s.Log(k, 0).Append(t.Context(), "k", record)
			}
			return n, err
		}
		if n, err := fill(queue.Quarantine); err != nil || n != 12 {
			t.Errorf("%s: QUARANTINE took %d records, then %v", name, n, err)
		}
		if n, err := fill(queue.Stage); fault.KindOf(err) != fault.Limited || n > 5 {
			t.Errorf("%s: STAGE took %d records past its limit: %v", name, n, err)
		}
		limit := s.Limit(queue.Quarantine)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		cfg.MaxBytes = 0
		if s = open(t, cfg); s.Limit(queue.Quarantine) < limit {
			t.Errorf("%s: after the next start the limit is %d, which was %d", name, s.Limit(queue.Quarantine), limit)
		}
	}
}

// TestLogsLeaveATenthOfWhatServersPromise: what is promised to others may not be known
// yet where a log is to be made.
func TestLogsLeaveATenthOfWhatServersPromise(t *testing.T) {
	t.Parallel()
	servers := startServers(t, 1, func(o *server.Options) { o.JetStreamMaxStore = 17 << 28 }, tenant{name: "blind", limits: &unlimited})
	s := open(t, natsstore.Config{Address: addressOf(servers, "blind"), Partitions: 1})
	if got, want := s.Limit(queue.Events), int64(2<<30)/100*32; got != want {
		t.Errorf("EVENTS may hold %d bytes on a server with 4.25 GiB, want %d: a third of 2 GiB", got, want)
	}
}

func TestServersWithoutJetStreamAreRefused(t *testing.T) {
	t.Parallel()
	c := startCluster(t, func(o *server.Options) { o.JetStream = false })
	refused(t, natsstore.Config{Address: c.srv.ClientURL()}, "jetstream", "sync_interval: always")
}
