// Package amqp publishes events as messages to an exchange of a server that speaks AMQP
// 0-9-1. A message is delivered when the server confirms that queues have it.
//
// Source: https://www.rabbitmq.com/docs/confirms
package amqp

import (
	"context"
	_ "embed"
	"errors"
	"strings"
	"sync"
	"time"

	driver "github.com/rabbitmq/amqp091-go"

	"weir/dataplane/destination"
	"weir/dataplane/destination/address"
	"weir/dataplane/destination/trust"
	"weir/shared/secret"
)

//go:embed spec.yaml
var spec []byte

// Kind is the destination kind amqp.
var Kind = destination.DefineSink(spec, open)

// server is an open destination. A connection of it is used by one write at a time.
type server struct {
	settings Settings
	dial     trust.Dial

	mu     sync.Mutex
	closed bool
	idle   []*connection
}

// connection is a connection with its only channel, which confirms messages.
type connection struct {
	*driver.Connection
	channel  *driver.Channel
	returned chan driver.Return
	closing  chan *driver.Error // why the server closed the channel
}

func open(_ context.Context, s Settings, d destination.Deps) (destination.Sink, error) {
	dial := trust.Dial(d.Dial)
	if s.TLS {
		config, err := trust.TLS(s.Ca, secret.String{}, secret.String{})
		if err != nil {
			return nil, err
		}
		dial = trust.Secure(dial, config)
	}
	s.Address = address.HostPort(s.Address, s.BaseURL)
	return &server{settings: s, dial: dial}, nil
}

// mostReturned is how many messages come back before they are read: a batch has fewer.
const mostReturned = 1024

// connect takes an idle connection, or makes one.
func (s *server) connect(ctx context.Context) (c *connection, err error) {
	s.mu.Lock()
	for len(s.idle) > 0 && c == nil {
		last := len(s.idle) - 1
		if c, s.idle = s.idle[last], s.idle[:last]; c.IsClosed() {
			c = nil
		}
	}
	s.mu.Unlock()
	if c != nil {
		return c, nil
	}
	conn, err := s.dial(ctx, "tcp", s.settings.Address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // the driver knows no contexts
	defer stop()
	c = &connection{returned: make(chan driver.Return, mostReturned), closing: make(chan *driver.Error, 1)}
	c.Connection, err = driver.Open(conn, driver.Config{
		SASL:  []driver.Authentication{&driver.PlainAuth{Username: s.settings.Secrets.Username.Reveal(), Password: s.settings.Secrets.Password.Reveal()}},
		Vhost: s.settings.Vhost, Heartbeat: 10 * time.Second, Locale: "en_US", Properties: driver.Table{"product": "Weir"},
	})
	if err != nil {
		_ = conn.Close() // the sign-in's error says more
		return nil, err
	}
	if c.channel, err = c.Channel(); err == nil {
		err = c.channel.Confirm(false)
	}
	if err != nil {
		c.end()
		return nil, err
	}
	c.channel.NotifyReturn(c.returned)
	c.channel.NotifyClose(c.closing)
	return c, nil
}

// end closes a connection without waiting for long.
func (c *connection) end() { _ = c.CloseDeadline(time.Now().Add(time.Second)) } // nothing is under way

// Write publishes the batch in rounds: a message goes when all before it of its user are
// confirmed, so that none overtakes one that a queue did not take.
func (s *server) Write(ctx context.Context, b destination.Batch) ([]destination.Verdict, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c, err := s.connect(ctx)
	if err != nil {
		return s.failed(ctx, b, err)
	}
	stop := context.AfterFunc(ctx, func() { c.end() })
	verdicts, err := s.publish(ctx, c, b)
	if !stop() || err != nil {
		c.end()
	} else {
		s.release(c)
	}
	if err != nil {
		return s.failed(ctx, b, err)
	}
	return verdicts, nil
}

func (s *server) release(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		go c.end()
		return
	}
	s.idle = append(s.idle, c)
}

// failed is what a batch comes to of which nothing is known.
func (s *server) failed(ctx context.Context, b destination.Batch, err error) ([]destination.Verdict, error) {
	if ended := ctx.Err(); ended != nil {
		return nil, ended
	}
	code, detail := meaning(err)
	if code == "" {
		return nil, err
	}
	verdicts := make([]destination.Verdict, len(b.Items))
	for i := range verdicts {
		verdicts[i] = destination.Verdict{Item: i, Outcome: destination.Retry, Code: code, Detail: detail}
	}
	return verdicts, nil
}

// meaning is the code of what a server says against a connection or a channel, "" of what
// no server said.
// Source: https://www.rabbitmq.com/docs/amqp-0-9-1-reference, constants
func meaning(err error) (code, detail string) {
	var answer *driver.Error
	if !errors.As(err, &answer) {
		return "", ""
	}
	if answer == driver.ErrCredentials || answer == driver.ErrSASL || answer == driver.ErrVhost {
		return CodeDenied, ""
	}
	if !answer.Server {
		return "", ""
	}
	switch answer.Code {
	case driver.AccessRefused, driver.NotAllowed:
		return CodeDenied, answer.Reason
	case driver.NotFound:
		return CodeNoExchange, answer.Reason
	case driver.ConnectionForced, driver.ResourceError, driver.InternalError:
		return "server_error", answer.Reason
	}
	return CodeRefused, answer.Reason
}

// Test signs in, and asks for the exchange.
func (s *server) Test(ctx context.Context) error {
	c, err := s.connect(ctx)
	if err == nil {
		stop := context.AfterFunc(ctx, func() { c.end() })
		if s.settings.Exchange != "" {
			err = c.channel.ExchangeDeclarePassive(s.settings.Exchange, "", false, false, false, false, nil)
		}
		stop()
		c.end()
	}
	if code, detail := meaning(err); code != "" {
		return errors.New(strings.TrimSpace(code + " " + detail))
	}
	return err
}

// Close ends the connections. No write is under way.
func (s *server) Close() error {
	s.mu.Lock()
	idle := s.idle
	s.idle, s.closed = nil, true
	s.mu.Unlock()
	for _, c := range idle {
		c.end()
	}
	return nil
}
