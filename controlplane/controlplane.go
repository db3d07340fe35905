package controlplane

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/controlplane/api"
	"weir/controlplane/authn"
	"weir/controlplane/draft"
	"weir/controlplane/fleet"
	"weir/controlplane/policy"
	"weir/controlplane/policy/own"
	"weir/controlplane/policy/rules"
	"weir/controlplane/publish"
	"weir/controlplane/review"
	"weir/controlplane/store"
	"weir/controlplane/store/audit"
	"weir/shared/catalog"
	"weir/shared/certificate"
	"weir/shared/durable"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/proxy"
	"weir/shared/script"
	"weir/shared/wire"
	"weir/shared/wire/hub"
)

// ControlPlane is one control plane of a process.
type ControlPlane struct {
	cfg     Config
	trusted proxy.Trusted
	ready   chan struct{}
	code    *script.Compiler

	// Written before ready is closed, read only after.
	addresses Addresses
	dev       DevAccess
}

// Addresses are where a control plane is reached.
type Addresses struct {
	HTTP string // http://host:port, API and console
	Hub  string // nats://host:port, as planes are told
}

// DevAccess is how the owner of a laptop gets in. Password is empty when it was
// changed elsewhere, and Email too when the account was removed.
type DevAccess struct {
	Email    string
	Password string
	Token    string // an administrator's API token
}

// New checks cfg and lists everything that is wrong with it. Nothing starts.
func New(cfg Config) (*ControlPlane, error) {
	trusted, err := cfg.check()
	if err != nil {
		return nil, err
	}
	return &ControlPlane{cfg: cfg, trusted: trusted, code: script.NewCompiler(script.Config{}), ready: make(chan struct{})}, nil
}

// Ready is closed when the API answers and the hub takes connections.
func (c *ControlPlane) Ready() <-chan struct{} { return c.ready }

// Addresses waits for Ready and returns where the control plane is reached.
func (c *ControlPlane) Addresses() Addresses {
	<-c.ready
	return c.addresses
}

// DevAccess waits for Ready and returns login and token; zero unless
// Config.Dev.
func (c *ControlPlane) DevAccess() DevAccess {
	<-c.ready
	return c.dev
}

// running is what a started control plane consists of.
type running struct {
	store     *store.Store
	listener  net.Listener
	server    *hub.Server // nil when the hub is outside
	hub       *hub.Hub
	fleet     *fleet.Service
	publisher *publish.Publisher
	authn     *authn.Service
	signer    *audit.Signer
	api       *api.API
	judge     *own.Judge // of policies
	http      *http.Server
	told      string // where planes reach the hub
}

// Run runs the control plane until ctx ends, and returns nil then. It must be
// called once.
//
// fault.Conflict: another control plane runs on the data directory, or the
// database belongs to another one. fault.Unavailable: an address is taken, the
// database or the hub is away.
func (c *ControlPlane) Run(ctx context.Context) (err error) {
	held, err := durable.Lock(filepath.Join(c.cfg.DataDir, "controlplane.lock"))
	if err != nil {
		return fmt.Errorf("start a control plane: %w", err)
	}
	defer func() { err = errors.Join(err, held.Close()) }()
	r := &running{}
	defer func() { err = errors.Join(err, r.close()) }()
	if err := c.assemble(ctx, r); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	c.addresses = Addresses{HTTP: "http://" + r.listener.Addr().String(), Hub: r.told}
	if err := c.logins(ctx, r); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.hub.Run(ctx) })
	g.Go(func() error { return r.fleet.Run(ctx) })
	g.Go(func() error { return r.publisher.Run(ctx) })
	g.Go(func() error { return r.signer.Run(ctx) })
	g.Go(func() error { return r.api.Run(ctx) })
	g.Go(func() error { return r.serve(ctx) })
	c.cfg.Log.InfoContext(ctx, "control plane started", "http", c.addresses.HTTP, "hub", r.told)
	close(c.ready)
	return g.Wait()
}

// assemble opens and connects everything, from the keys up to the API.
func (c *ControlPlane) assemble(ctx context.Context, r *running) error {
	signing, err := loadKey(c.cfg.DataDir, "control")
	if err != nil {
		return err
	}
	granting, err := loadKey(c.cfg.DataDir, "capability")
	if err != nil {
		return err
	}
	var listen net.ListenConfig
	if r.listener, err = listen.Listen(ctx, "tcp", c.cfg.HTTPListen); err != nil {
		return fault.New(fault.Unavailable, "cannot listen on %s for API and console: %v", c.cfg.HTTPListen, err)
	}
	if r.store, err = store.Open(ctx, store.Config{Database: c.cfg.Database, Log: c.cfg.Log}); err != nil {
		return err
	}
	for name, key := range map[string]ed25519.PrivateKey{"control": signing, "capability": granting} {
		if err := bind(ctx, r.store, name, publicKey(key)); err != nil {
			return err
		}
	}
	if err := c.connect(ctx, r, signing, publicKey(granting)); err != nil {
		return err
	}
	if r.publisher, err = publish.New(publish.Config{Store: r.store, Hub: r.hub, Log: c.cfg.Log}); err != nil {
		return err
	}
	r.store.OnChange(r.publisher.Nudge)
	if r.authn, err = authn.New(authn.Config{Store: r.store, Key: granting, Log: c.cfg.Log, Private: c.cfg.AllowPrivate, SessionIdle: c.cfg.SessionIdle, SessionLifetime: c.cfg.SessionLifetime}); err != nil {
		return err
	}
	r.signer, err = audit.NewSigner(audit.SignerConfig{Log: r.store.Audit(), Key: signing, File: filepath.Join(c.cfg.DataDir, "audit-heads.json"), Logger: c.cfg.Log})
	if err != nil {
		return err
	}
	r.judge = own.NewJudge(own.Config{})
	if r.api, err = c.handler(ctx, r); err != nil {
		return err
	}
	r.http = &http.Server{
		Handler:           r.api,
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10,
		ErrorLog:       slog.NewLogLogger(c.cfg.Log.Handler(), slog.LevelDebug), // strangers' broken connections
	}
	return nil
}

// connect starts the embedded hub, or finds the one outside, and makes the
// control end of it and the fleet.
func (c *ControlPlane) connect(ctx context.Context, r *running, signing ed25519.PrivateKey, granting ed25519.PublicKey) error {
	dir := filepath.Join(c.cfg.DataDir, "hub")
	address, operator := c.cfg.HubAddress, hub.Operator{}
	var err error
	if c.cfg.HubListen != "" {
		secure, err := certificate.TLS(c.cfg.HubFiles.Cert, c.cfg.HubFiles.Key, c.cfg.Log)
		if err != nil {
			return err
		}
		if r.server, err = hub.Serve(ctx, hub.ServerConfig{Dir: dir, Listen: c.cfg.HubListen, TLS: secure, Log: c.cfg.Log}); err != nil {
			return err
		}
		address, operator = r.server.Address(), r.server.Operator()
	} else if operator, err = hub.LoadOperator(dir); err != nil {
		return err
	}
	r.told = c.cfg.HubAddress
	if r.told == "" {
		r.told = address
	}
	accounts, err := fleet.Accounts(ctx, r.store)
	if err != nil {
		return err
	}
	r.hub, err = hub.New(hub.Config{
		Address: address, Files: c.cfg.HubFiles, Embedded: r.server, Operator: operator, Key: signing, Accounts: accounts, Log: c.cfg.Log,
		Revoked: func(ctx context.Context, a hub.Account) (map[string]time.Time, error) {
			return fleet.Revoked(ctx, r.store, a)
		},
		PlaneKey: func(p id.Plane) (ed25519.PublicKey, bool) { return r.fleet.Key(p) }, // asked only once the fleet is there
		Placed: func(p id.Plane, ws id.Workspace) bool {
			row, err := r.store.Workspace(ctx, ws)
			return err == nil && row.Plane == p || err != nil && fault.KindOf(err) != fault.Missing // what is not known stays
		},
		Alarm: func(code wire.Code, plane id.Plane) {
			c.cfg.Log.Warn("word of a plane refused", "code", code, "plane", plane)
		},
	})
	if err != nil {
		return err
	}
	r.fleet, err = fleet.New(fleet.Config{
		Store: r.store, Enrol: r.hub.Enrol, Expel: r.hub.Expel, Ask: r.hub.Ask, Beats: r.hub.Beats, HubAddress: r.told,
		ControlKey: publicKey(signing), CapabilityKey: granting, Origins: c.cfg.origins(r.listener.Addr()), Log: c.cfg.Log,
	})
	return err
}

// handler builds the API on what is there.
func (c *ControlPlane) handler(ctx context.Context, r *running) (*api.API, error) {
	access, err := policy.New(ctx)
	if err != nil {
		return nil, err
	}
	book, err := rules.New(ctx)
	if err != nil {
		return nil, err
	}
	operators, err := own.Load(ctx, r.judge, c.cfg.Policies)
	if err != nil {
		return nil, err
	}
	reviews, err := review.New(review.Config{Store: r.store, Rules: book, Judge: r.judge, Operator: operators})
	if err != nil {
		return nil, err
	}
	drafts, err := draft.New(draft.Config{Store: r.store, Review: reviews, Catalog: catalog.All(), Place: r.fleet.Place, Counts: r.fleet.Counts, Code: c.code})
	if err != nil {
		return nil, err
	}
	return api.New(api.Config{
		Store: r.store, Policy: access, Authn: r.authn, Draft: drafts, Review: reviews, Fleet: r.fleet, Signer: r.signer, Catalog: catalog.All(), Code: c.code,
		Origins: c.cfg.origins(r.listener.Addr()), Secure: c.cfg.secure(), TrustedProxies: c.trusted, Log: c.cfg.Log,
	})
}

// logins makes what people need to get in.
func (c *ControlPlane) logins(ctx context.Context, r *running) error {
	if c.cfg.Dev {
		login, err := r.authn.FirstLogin(ctx, authn.Login{Email: c.cfg.Known.Email, Password: c.cfg.Known.Password})
		if err == nil && c.cfg.ResetLogin {
			login, err = r.authn.ResetFirst(ctx)
		}
		if err != nil {
			return err
		}
		token, err := r.authn.KeepToken(ctx, "weir dev", c.cfg.Known.Token)
		if err != nil {
			return err
		}
		c.dev = DevAccess{Email: login.Email, Password: login.Password, Token: token}
		return nil
	}
	login, made, err := r.authn.Bootstrap(ctx)
	if err == nil && !made && c.cfg.ResetLogin {
		login, err = r.authn.ResetFirst(ctx)
		made = true
	}
	if err != nil || !made {
		return err
	}
	return c.handOver(ctx, r, login)
}

// tokenFile, in the data directory, holds the first administrator's API token.
const tokenFile = "admin.token"

// handOver prints the login, writes a token, and says how to go on. Who loses
// either starts once more with ResetLogin.
func (c *ControlPlane) handOver(ctx context.Context, r *running, login authn.Login) error {
	token, err := r.authn.ReplaceToken(ctx, "first administrator")
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(c.cfg.DataDir)
	if err != nil {
		return fmt.Errorf("find the data directory: %w", err)
	}
	file := filepath.Join(dir, tokenFile)
	if err := durable.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		return fmt.Errorf("write the first token: %w", err)
	}
	if _, err := fmt.Fprintf(c.cfg.Out, `login: %s / %s
token: %s (an administrator's; only its owner can read the file)
next:  let a data plane join, then apply a configuration
         export WEIR_CONTROL=%s WEIR_TOKEN_FILE=%s
         weir plane invite --region eu
`, login.Email, login.Password, file, c.addresses.HTTP, file); err != nil {
		return fmt.Errorf("print the login: %w", err)
	}
	return nil
}

// graceful is how long requests under way may take when the control plane ends.
const graceful = 10 * time.Second

// serve answers requests until ctx ends, and then those that are under way.
func (r *running) serve(ctx context.Context) error {
	g, inner := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := r.http.Serve(r.listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve API and console: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		<-inner.Done()
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceful)
		defer cancel()
		if err := r.http.Shutdown(end); err != nil {
			return r.http.Close() // the rest is cut off
		}
		return nil
	})
	return g.Wait()
}

// close ends what was started, in the reverse order.
func (r *running) close() error {
	if r.hub != nil {
		r.hub.Close()
	}
	if r.server != nil {
		r.server.Close()
	}
	if r.judge != nil {
		r.judge.Close()
	}
	var err error
	if r.store != nil {
		err = r.store.Close()
	}
	if r.listener != nil {
		if closed := r.listener.Close(); closed != nil && !errors.Is(closed, net.ErrClosed) {
			err = errors.Join(err, closed)
		}
	}
	return err
}

func publicKey(key ed25519.PrivateKey) ed25519.PublicKey {
	return key.Public().(ed25519.PublicKey) //nolint:forcetypeassert // by the standard library's contract
}
