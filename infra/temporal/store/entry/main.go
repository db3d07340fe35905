// Command weir-temporal is a Temporal server for one machine, on one SQLite file. It prints
// a JSON line, {"address", "namespace"}, when workflows can run, and ends when its standard
// input ends, with the process that started it, or on SIGTERM.
//
// It is a module and a program of its own: most of what it is made of, nothing else of Weir
// needs.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/schema/sqlite"
	"go.temporal.io/server/temporal"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	clusterName = "active"
	retention   = 7 * 24 * time.Hour // of histories that ended
	startTime   = time.Minute
)

func main() {
	dir := flag.String("data-dir", ".", "folder of the database and the log")
	port := flag.Int("port", 0, "where it listens on 127.0.0.1; 0 takes a free port")
	namespace := flag.String("namespace", "weir", "namespace that it has")
	flag.Parse()
	if err := run(*dir, *port, *namespace); err != nil {
		fmt.Fprintln(os.Stderr, "weir-temporal:", err)
		os.Exit(1)
	}
}

// freePorts returns ports that nobody listened on: the server's parts take numbers, not
// listeners. Who starts the program starts it again when another one was faster.
func freePorts(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }() // all at the end, so that none comes twice
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

func run(dir string, port int, namespace string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	ports, err := freePorts(8)
	if err != nil {
		return err
	}
	if port != 0 {
		ports[0] = port
	}
	store, err := database(dir, namespace)
	if err != nil {
		return err
	}
	frontend := local(ports[0])
	server, err := temporal.NewServer(
		temporal.WithConfig(configuration(store, ports)), temporal.ForServices(temporal.DefaultServices),
		// With the hosts named the parts need not find each other.
		temporal.WithStaticHosts(map[primitives.ServiceName]static.Hosts{
			primitives.FrontendService: static.SingleLocalHost(frontend),
			primitives.HistoryService:  static.SingleLocalHost(local(ports[2])),
			primitives.MatchingService: static.SingleLocalHost(local(ports[4])),
			primitives.WorkerService:   static.SingleLocalHost(local(ports[6])),
		}),
		temporal.WithLogger(log.NewZapLogger(log.BuildZapLogger(log.Config{Level: "error", OutputFile: filepath.Join(dir, "temporal.log")}))),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()), // it listens on loopback alone
		temporal.WithDynamicConfigClient(dynamicconfig.StaticClient{
			dynamicconfig.MakeKey("system.forceSearchAttributesCacheRefreshOnRead"): true,
			dynamicconfig.MakeKey("history.cacheMaxSize"):                           1024,
		}),
	)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with who started the program
		cancel()
	}()
	if err := server.Start(); err != nil {
		return err
	}
	if err := serving(ctx, frontend); err != nil {
		return errors.Join(err, server.Stop())
	}
	if ctx.Err() == nil {
		if err := json.NewEncoder(os.Stdout).Encode(map[string]string{"address": frontend, "namespace": namespace}); err != nil {
			return errors.Join(err, server.Stop())
		}
	}
	<-ctx.Done()
	return server.Stop()
}

func local(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// database returns a file of the schema that the server has: it changes none, so that each
// version has its own. The attributes are pragmas; with an underscore before it a name would
// be ignored.
func database(dir, namespace string) (*config.SQL, error) {
	file := filepath.Join(dir, "temporal-"+sqlite.Version+".db")
	of := func(file string) *config.SQL {
		return &config.SQL{
			PluginName: sqliteplugin.PluginName, DatabaseName: file, MaxConns: 1, MaxIdleConns: 1,
			ConnectAttributes: map[string]string{"mode": "rwc", "journal_mode": "wal", "synchronous": "1", "busy_timeout": "10000"},
		}
	}
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		made := file + ".new" // a death before it is complete leaves nothing that is met again
		for _, name := range []string{made, made + "-wal", made + "-shm"} {
			if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
		}
		fresh := of(made)
		fresh.ConnectAttributes = map[string]string{"mode": "rwc"}
		if err := sqlite.SetupSchema(fresh); err != nil {
			return nil, err
		}
		if err := os.Rename(made, file); err != nil {
			return nil, err
		}
	}
	store := of(file)
	ns, err := sqlite.NewNamespaceConfig(clusterName, namespace, false, nil)
	if err != nil {
		return nil, err
	}
	ns.Detail.Config.Retention = durationpb.New(retention)
	return store, sqlite.CreateNamespaces(store, ns)
}

func configuration(store *config.SQL, ports []int) *config.Config {
	part := func(n int) config.Service {
		return config.Service{RPC: config.RPC{GRPCPort: ports[n], MembershipPort: ports[n+1], BindOnLocalHost: true}}
	}
	return &config.Config{
		Global: config.Global{Membership: config.Membership{MaxJoinDuration: startTime, BroadcastAddress: "127.0.0.1"}},
		Persistence: config.Persistence{
			DefaultStore: "sqlite", VisibilityStore: "sqlite", NumHistoryShards: 1,
			DataStores: map[string]config.DataStore{"sqlite": {SQL: store}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10, MasterClusterName: clusterName, CurrentClusterName: clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: local(ports[0])}},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Services:            map[string]config.Service{"frontend": part(0), "history": part(2), "matching": part(4), "worker": part(6)},
		PublicClient:        config.PublicClient{HostPort: local(ports[0])},
		Archival: config.Archival{
			History: config.HistoryArchival{State: "disabled"}, Visibility: config.VisibilityArchival{State: "disabled"},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History: config.HistoryArchivalNamespaceDefaults{State: "disabled"}, Visibility: config.VisibilityArchivalNamespaceDefaults{State: "disabled"},
		}},
	}
}

// serving waits until workflows can run.
func serving(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	c, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }() // it asked, and has its answer
	health := grpc_health_v1.NewHealthClient(c)
	for {
		answer, err := health.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: "temporal.api.workflowservice.v1.WorkflowService"})
		if err == nil && answer.Status == grpc_health_v1.HealthCheckResponse_SERVING {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it does not serve: %w", errors.Join(ctx.Err(), err))
		case <-time.After(50 * time.Millisecond):
		}
	}
}
