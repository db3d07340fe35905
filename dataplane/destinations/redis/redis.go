// Package redis writes events to streams, lists and channels of Redis, and traits of users
// to hashes. A batch is one transaction: all of it is done, in order, or nothing.
//
// Source: https://redis.io/docs/latest/commands
package redis

import (
	"context"
	_ "embed"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"weir/dataplane/destination"
	"weir/dataplane/destination/address"
	"weir/dataplane/destination/trust"
	"weir/shared/secret"
)

//go:embed spec.yaml
var spec []byte

// Kind is the destination kind redis.
var Kind = destination.DefineSink(spec, open)

// quiet keeps the driver from writing to the program's standard error.
var quiet = sync.OnceFunc(func() { redis.SetLogger(silence{}) })

type silence struct{}

// Printf drops a line.
func (silence) Printf(context.Context, string, ...any) {}

// server is an open destination.
type server struct {
	settings Settings
	client   *redis.Client
}

func open(_ context.Context, s Settings, d destination.Deps) (destination.Sink, error) {
	quiet()
	s.Address = address.HostPort(s.Address, s.BaseURL)
	dial := trust.Dial(d.Dial)
	if s.TLS {
		config, err := trust.TLS(s.Ca, secret.String{}, secret.String{})
		if err != nil {
			return nil, err
		}
		dial = trust.Secure(dial, config)
	}
	return &server{settings: s, client: redis.NewClient(&redis.Options{
		Addr: s.Address, Dialer: dial, DB: int(s.Database), Username: s.Secrets.Username.Reveal(), Password: s.Secrets.Password.Reveal(),
		Protocol: 2, DisableIdentity: true, MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		MaxRetries: -1, DialerRetries: 1, DialTimeout: 10 * time.Second, // the lane tries again
		ContextTimeoutEnabled: true, ReadTimeout: s.Timeout.Std(), WriteTimeout: s.Timeout.Std(), PoolSize: int(s.Concurrency), ConnMaxIdleTime: time.Minute,
	})}, nil
}

// Write does the commands of a batch in one transaction.
func (s *server) Write(ctx context.Context, b destination.Batch) ([]destination.Verdict, error) {
	verdicts := make([]destination.Verdict, len(b.Items))
	commands := make([][]redis.Cmder, len(b.Items))
	tx := s.client.TxPipeline()
	for i := range b.Items {
		if code := s.add(ctx, tx, &b.Items[i], &commands[i]); code != "" {
			verdicts[i] = destination.Verdict{Item: i, Outcome: destination.Dropped, Code: code}
		}
	}
	if tx.Len() == 0 {
		return verdicts, ctx.Err()
	}
	_, err := tx.Exec(ctx)
	var answer redis.Error
	if err != nil && !errors.As(err, &answer) {
		return nil, err
	}
	aborted, marked := err != nil && isAbort(err), false
	for i := range b.Items {
		if verdicts[i].Outcome != 0 {
			continue
		}
		for _, c := range commands[i] {
			aborted, marked = aborted || isAbort(c.Err()), marked || c.Err() != nil
		}
		verdicts[i] = s.verdict(commands[i])
		verdicts[i].Item = i
	}
	switch {
	case err != nil && !marked: // the connection was refused: no command was sent
		undone(verdicts, s.meaning(err))
	case aborted:
		undone(verdicts, destination.Verdict{Code: CodeNotReady})
	}
	return verdicts, nil
}

// isAbort reports whether a transaction was not done because of one of its commands.
func isAbort(err error) bool { return err != nil && strings.HasPrefix(err.Error(), "EXECABORT") }

// undone lets all of a transaction that was not done be tried again, for the reason of the
// command that was refused, else for reason.
func undone(verdicts []destination.Verdict, reason destination.Verdict) {
	for _, v := range verdicts {
		if v.Code != "" && v.Outcome != destination.Dropped {
			reason = v
		}
	}
	reason.Outcome = destination.Retry
	for i, v := range verdicts {
		if v.Outcome != destination.Dropped {
			verdicts[i] = reason
			verdicts[i].Item = i
		}
	}
}

// Test signs in.
func (s *server) Test(ctx context.Context) error {
	err := s.client.Ping(ctx).Err()
	var answer redis.Error
	if errors.As(err, &answer) {
		return errors.New(s.meaning(err).Code) // the text may quote what was sent
	}
	return err
}

// Close ends the connections.
func (s *server) Close() error { return s.client.Close() }
