// Package kafka writes events as records to topics of Kafka. A record is delivered when all
// replicas in sync have it.
//
// Source: https://kafka.apache.org/protocol
package kafka

import (
	"context"
	_ "embed"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"weir/dataplane/destination"
	"weir/dataplane/destination/address"
	"weir/dataplane/destination/trust"
	"weir/shared/fault"
)

//go:embed spec.yaml
var spec []byte

// Kind is the destination kind kafka.
var Kind = destination.DefineSink(spec, open)

// producer is an open destination.
type producer struct {
	settings Settings
	client   *kgo.Client
	up       atomic.Bool           // the last that is known of the cluster is that it answers
	failure  atomic.Pointer[error] // of the newest connection, nil when it was made
}

func open(_ context.Context, s Settings, d destination.Deps) (destination.Sink, error) {
	p := &producer{settings: s}
	dial := trust.Dial(d.Dial)
	if s.TLS {
		config, err := trust.TLS(s.Ca, s.Secrets.ClientCertificate, s.Secrets.ClientKey)
		if err != nil {
			return nil, err
		}
		dial = trust.Secure(dial, config)
	}
	codec := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}[s.Compression]
	options := []kgo.Opt{
		kgo.SeedBrokers(strings.FieldsFunc(address.HostPort(s.Brokers, s.BaseURL), func(r rune) bool { return r == ',' || r == ' ' })...),
		kgo.ClientID("weir"), kgo.Dialer(p.dialer(dial)), kgo.DisableClientMetrics(),
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerBatchCompression(codec), kgo.ProducerLinger(0),
		// A write that ends leaves no records behind, which would come again beside their repetition.
		kgo.AllowIdempotentProduceCancellation(),
		kgo.UnknownTopicRetries(1), kgo.MetadataMinAge(250 * time.Millisecond), kgo.ConnIdleTimeout(time.Minute),
	}
	if s.CreateTopics {
		options = append(options, kgo.AllowAutoTopicCreation())
	}
	user, password := s.Secrets.Username.Reveal(), s.Secrets.Password.Reveal()
	switch s.Sasl {
	case "plain":
		options = append(options, kgo.SASL(plain.Auth{User: user, Pass: password}.AsMechanism()))
	case "scramSha256":
		options = append(options, kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha256Mechanism()))
	case "scramSha512":
		options = append(options, kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha512Mechanism()))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, errors.New("the settings make no client")
	}
	p.client = client
	return p, nil
}

// dialer notes why the newest connection was not made. An address that is forbidden may be
// one that the cluster named, and another one a moment later: it is tried again.
func (p *producer) dialer(dial trust.Dial) trust.Dial {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err == nil {
			p.failure.Store(nil)
			return conn, nil
		}
		if problems := fault.ProblemsOf(err); fault.KindOf(err) == fault.Denied && len(problems) > 0 {
			err = &fault.Error{Kind: fault.Unavailable, Text: problems[0].Text, Problems: problems}
		}
		p.failure.Store(&err)
		return nil, err
	}
}

// Write waits until each record is written or refused. The client writes the records of a
// partition in order, and when one cannot be written, none of those behind it.
func (p *producer) Write(ctx context.Context, b destination.Batch) ([]destination.Verdict, error) {
	if !p.up.Load() {
		if err := p.Test(ctx); err != nil {
			v, known := p.verdict(err)
			if !known && errors.Is(err, io.EOF) && p.settings.Sasl != "none" { // some say no by that
				v, known = destination.Verdict{Outcome: destination.Retry, Code: CodeSignIn, Detail: "The cluster closed the connection at the sign-in."}, true
			}
			if known {
				return all(b, v), nil
			}
			return nil, err
		}
	}
	records := make([]*kgo.Record, len(b.Items))
	at := make(map[*kgo.Record]int, len(b.Items))
	for i := range b.Items {
		records[i] = p.record(&b.Items[i])
		at[records[i]] = i
	}
	verdicts := make([]destination.Verdict, len(b.Items))
	answered := false
	var lost error
	for _, r := range p.client.ProduceSync(ctx, records...) {
		v, known := p.verdict(r.Err)
		if !known {
			lost = r.Err
			v = destination.Wrote(1, nil, p.why(ctx, r.Err))[0]
		}
		answered = answered || known
		v.Item = at[r.Record]
		verdicts[v.Item] = v
	}
	if lost != nil {
		p.up.Store(false) // the next write finds out first whether anybody answers
		if !answered {
			return nil, p.why(ctx, lost)
		}
	}
	return verdicts, nil
}

// why is why there is no answer: that no connection could be made says more than that time
// is up.
func (p *producer) why(ctx context.Context, err error) error {
	if failure := p.failure.Load(); failure != nil && (ctx.Err() != nil || errors.Is(err, kgo.ErrRecordTimeout) || errors.Is(err, kgo.ErrRecordRetries)) {
		return *failure
	}
	return err
}

// Test signs in at one of the brokers.
func (p *producer) Test(ctx context.Context) error {
	if err := p.client.Ping(ctx); err != nil {
		return p.why(ctx, err)
	}
	p.up.Store(true)
	return nil
}

// Close ends the connections. No write is under way.
func (p *producer) Close() error {
	p.client.Close()
	return nil
}

func all(b destination.Batch, v destination.Verdict) []destination.Verdict {
	verdicts := make([]destination.Verdict, len(b.Items))
	for i := range verdicts {
		verdicts[i] = v
		verdicts[i].Item = i
	}
	return verdicts
}
