package hub

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"

	"weir/shared/durable"
	"weir/shared/fault"
)

// ServerConfig is how the embedded hub runs. Dir is required.
type ServerConfig struct {
	Dir    string      // everything it keeps; made when absent
	Listen string      // host:port, port 0 for any; empty means 127.0.0.1:4222
	TLS    *tls.Config // of connections from outside; nil: no TLS, for loopback and behind a proxy that adds it
	Log    *slog.Logger
}

// Server is a hub in this process: a NATS server in operator mode, in which
// accounts are made while it runs. It forgets nothing across a restart with the
// same Dir.
type Server struct {
	operator Operator
	nats     *server.Server
	scheme   string
	lock     io.Closer
	once     sync.Once
}

// Serve starts a hub and returns when it takes connections. The caller closes
// it. fault.Conflict: another process runs on Dir. fault.Unavailable: it did not
// come up in time or the address is taken.
func Serve(ctx context.Context, cfg ServerConfig) (*Server, error) {
	if cfg.Dir == "" {
		return nil, fault.New(fault.Invalid, "The hub needs a directory.")
	}
	lock, err := durable.Lock(filepath.Join(cfg.Dir, "lock")) // nats-server itself would let two servers write into one store
	if err != nil {
		return nil, fmt.Errorf("start a hub: %w", err)
	}
	s := &Server{lock: lock, scheme: "nats"}
	if cfg.TLS != nil {
		s.scheme = "tls"
	}
	if err := s.start(ctx, cfg); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// firstRoom is what the disk of a hub must have free when it starts for the first time,
// in bytes.
const firstRoom = 64 << 20

func (s *Server) start(ctx context.Context, cfg ServerConfig) error {
	var err error
	if s.operator, err = LoadOperator(cfg.Dir); err != nil {
		return err
	}
	opts, err := s.options(cfg)
	if err != nil {
		return err
	}
	if err := durable.Room(opts.StoreDir, firstRoom); err != nil {
		return fmt.Errorf("start the hub: %w", err)
	}
	if err := free(ctx, opts); err != nil {
		return err
	}
	if s.nats, err = server.NewServer(opts); err != nil {
		return fault.New(fault.Invalid, "The hub's server refused its settings: %v.", err)
	}
	if cfg.Log != nil {
		s.nats.SetLoggerV2(serverLog{cfg.Log}, false, false, false)
	}
	s.nats.Start()
	for end := time.Now().Add(30 * time.Second); !s.nats.ReadyForConnections(100 * time.Millisecond); {
		if ctx.Err() != nil || time.Now().After(end) || !s.nats.Running() {
			return fault.New(fault.Unavailable, "The hub does not take connections on %s.", net.JoinHostPort(opts.Host, strconv.Itoa(opts.Port)))
		}
	}
	return nil
}

// free tries the address first: the server says nothing to its caller when it
// cannot listen.
func free(ctx context.Context, opts *server.Options) error {
	if opts.Port == server.RANDOM_PORT {
		return nil
	}
	address := net.JoinHostPort(opts.Host, strconv.Itoa(opts.Port))
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return fault.New(fault.Unavailable, "The hub cannot listen on %s: %v.", address, err)
	}
	return l.Close()
}

// options builds the server's options anew: NewServer writes into what it gets
// and does not accept it a second time.
func (s *Server) options(cfg ServerConfig) (*server.Options, error) {
	listen := cfg.Listen
	if listen == "" {
		listen = "127.0.0.1:4222"
	}
	host, portText, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, fault.New(fault.Invalid, "The hub's address %q is not host:port.", listen)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, fault.New(fault.Invalid, "The hub's address %q has no numeric port.", listen)
	}
	root, err := s.operator.root()
	if err != nil {
		return nil, err
	}
	operatorKey, err := root.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("operator key: %w", err)
	}
	system, systemToken, err := s.operator.accountJWT(systemAccount, nil)
	if err != nil {
		return nil, err
	}
	resolver, err := server.NewDirAccResolver(filepath.Join(cfg.Dir, "accounts"), 0, time.Minute, server.NoDelete)
	if err != nil {
		return nil, fmt.Errorf("open the hub's accounts: %w", err)
	}
	if err := resolver.Store(system, systemToken); err != nil {
		return nil, fmt.Errorf("keep the hub's system account: %w", err)
	}
	claims := jwt.NewOperatorClaims(operatorKey)
	claims.Name, claims.SystemAccount = "weir", system
	opts := &server.Options{
		ServerName: "weir-hub", Host: host, Port: int(port),
		NoSigs: true, NoLog: cfg.Log == nil,
		MaxPayload: maxPayload,
		JetStream:  true, StoreDir: filepath.Join(cfg.Dir, "jetstream"),
		JetStreamMaxStore: 1 << 60,                                     // the default is a part of what is free now: a disk that is full at a start would leave none for ever
		JetStreamLimits:   server.JSLimitOpts{DefaultMaxConsumers: -1}, // a consumer per plane; the default is 1,000 a stream
		TrustedOperators:  []*jwt.OperatorClaims{claims}, SystemAccount: system, AccountResolver: resolver,
		TLSConfig: cfg.TLS, TLS: cfg.TLS != nil,
	}
	if port == 0 {
		opts.Port = server.RANDOM_PORT
	}
	return opts, nil
}

// Address is where planes connect: nats://host:port, with TLS tls://host:port.
func (s *Server) Address() string { return s.scheme + "://" + s.nats.Addr().String() }

// InProcessConn gives a control end in this process a connection, without TLS.
func (s *Server) InProcessConn() (net.Conn, error) { return s.nats.InProcessConn() }

// Operator is the hub's root key, for Config.
func (s *Server) Operator() Operator { return s.operator }

// Close stops the server and waits until it has.
func (s *Server) Close() {
	s.once.Do(func() {
		if s.nats != nil {
			s.nats.Shutdown()
			s.nats.WaitForShutdown()
		}
		_ = s.lock.Close()
	})
}

// serverLog carries what the server warns of into the process's log. Its other
// lines, connections coming and going, are nobody's concern.
type serverLog struct{ log *slog.Logger }

func (l serverLog) Noticef(string, ...any) {}
func (l serverLog) Debugf(string, ...any)  {}
func (l serverLog) Tracef(string, ...any)  {}
func (l serverLog) Warnf(format string, args ...any) {
	l.log.Warn("hub server warned", "text", fmt.Sprintf(format, args...))
}
func (l serverLog) Errorf(format string, args ...any) {
	l.log.Warn("hub server met an error", "text", fmt.Sprintf(format, args...))
}
func (l serverLog) Fatalf(format string, args ...any) {
	l.log.Error("hub server stopped", "text", fmt.Sprintf(format, args...))
}
