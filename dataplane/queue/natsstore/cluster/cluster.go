// Package cluster is what a plane knows of the NATS servers outside that keep its
// logs: how many there are, what the account may, whether each write is synced, and
// how many of them keep a stream.
//
// It refuses, with a sentence that names the remedy, servers without JetStream, an
// account whose limits are too small, servers that are seen not to sync, and more
// copies than there are servers. It lowers no stream's number of copies unless that
// was asked for.
package cluster

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"weir/shared/delay"
	"weir/shared/fault"
)

// usual is how many servers keep a stream where nobody says otherwise and there are
// as many: one may be away.
const usual = 3

// Config is what a plane's owner wants of the servers.
type Config struct {
	Conn *nats.Conn
	JS   jetstream.JetStream
	// Listed is how many addresses were given: servers that are away are not seen.
	Listed int
	// Replicas is how many servers keep each stream. 0: as many as do, but 3 where
	// there are 3 or more.
	Replicas int
	// Bytes is how much the streams' limits are together. 0: a limit that a stream has
	// stays, and one that comes to a stream without leaves as much room as there is in it.
	Bytes int64
	// LazySync takes servers that sync only now and then.
	LazySync bool
	Log      *slog.Logger
}

// Cluster is the servers behind a connection as they were when it was joined. Its
// methods may be used by one goroutine at a time.
type Cluster struct {
	// Synced says that every server was seen to sync each write; Lazy names those that
	// were seen not to, sorted.
	Synced bool
	Lazy   []string

	cfg    Config
	limits jetstream.AccountLimits
	used   int // streams in the account
	want   int
	seen   int       // servers that answered
	bare   bool      // a stream is missing, or has no limit
	disk   int64     // bytes that the smallest server gives to streams and has not promised; 0: unknown
	raised []string  // streams that got more copies, which may be behind
	probed time.Time // when the newest probe was deleted
}

// probeCounts is for how long servers may count a probe that was deleted as room that
// is taken: they tell each other every ten seconds.
const probeCounts = 25 * time.Second

// Join looks at the servers.
//
// fault.Invalid: they do not run JetStream, or do not sync. Other errors are the
// client's own.
func Join(ctx context.Context, cfg Config) (*Cluster, error) {
	c := &Cluster{cfg: cfg}
	account, err := cfg.JS.AccountInfo(ctx)
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return nil, fault.New(fault.Invalid, "The account of --events may not use JetStream: write jetstream: enabled into it in the servers' configuration.")
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, nats.ErrNoResponders):
		return nil, fault.New(fault.Invalid, "The servers of --events run without JetStream: give their configuration a jetstream block with store_dir and sync_interval: always.")
	case err != nil:
		return nil, err
	}
	seen := c.servers(ctx)
	c.seen = len(seen)
	c.want = c.cfg.Replicas
	if c.want == 0 {
		c.want = 1
		if max(len(seen), cfg.Listed) >= usual {
			c.want = usual
		}
	}
	if err := c.take(account); err != nil {
		return nil, err
	}
	cfg.Log.InfoContext(ctx, "event servers joined", "servers", strings.Join(seen, " "), "replicas", c.want)
	return c, c.checkSync(ctx)
}

// take notes the limits of the account for streams with the wanted copies.
func (c *Cluster) take(account *jetstream.AccountInfo) error {
	c.limits, c.used = account.Limits, account.Streams
	if len(account.Tiers) == 0 {
		return nil
	}
	tier, ok := account.Tiers[tierOf(c.want)]
	if !ok {
		return fault.New(fault.Invalid, "The account of --events has no limits for logs on %d servers (tier %s): give it some, or start with another --replicas.", c.want, tierOf(c.want))
	}
	c.limits, c.used = tier.Limits, tier.Streams
	if c.limits.MaxStore > 0 { // of one copy
		c.limits.MaxStore *= int64(c.want)
	}
	return nil
}

func tierOf(replicas int) string { return "R" + string(rune('0'+replicas)) }

// Need is what all streams of a plane need together.
type Need struct {
	Streams   []string // their names
	Consumers int      // on one stream at a time
	Least     int64    // bytes of one copy of each, at least
}

// Check compares the limits of the account with what is needed. fault.Invalid: they
// are too small; all of them are named.
func (c *Cluster) Check(ctx context.Context, n Need) error {
	absent := 0
	for _, name := range n.Streams {
		switch have, err := c.cfg.JS.Stream(ctx, name); {
		case errors.Is(err, jetstream.ErrStreamNotFound):
			absent++
		case err != nil:
			return err
		default:
			c.bare = c.bare || have.CachedInfo().Config.MaxBytes <= 0
		}
	}
	c.bare = c.bare || absent > 0
	var wrong []error
	refuse := func(format string, args ...any) { wrong = append(wrong, fault.New(fault.Invalid, format, args...)) }
	l := c.limits
	if l.MaxStreams > 0 && c.used+absent > l.MaxStreams {
		refuse("The account of --events may have %d streams and has %d; %d more are needed: raise its max_streams.", l.MaxStreams, c.used, absent)
	}
	if l.MaxConsumers > 0 && l.MaxConsumers < n.Consumers {
		refuse("The account of --events may have %d consumers on a stream; %d are needed: raise its max_consumers.", l.MaxConsumers, n.Consumers)
	}
	if l.StoreMaxStreamBytes > 0 && n.Least > l.StoreMaxStreamBytes {
		refuse("A stream of the account of --events may hold %d bytes; %d are needed: raise its disk_max_stream_bytes, or lower --events-bytes.", l.StoreMaxStreamBytes, n.Least)
	}
	bytes := max(c.cfg.Bytes, int64(len(n.Streams))*n.Least)
	if l.MaxStore >= 0 && bytes > l.MaxStore/int64(c.want) {
		refuse("The account of --events may store %d bytes; %d copies of %d bytes are needed: raise its max_file, or lower --events-bytes or --replicas.", l.MaxStore, c.want, bytes)
	}
	return errors.Join(wrong...)
}

// Sizes of all streams on one server.
const (
	roomUnseen = 64 << 30 // where nothing says how much there is
	roomLeast  = 1 << 30  // is not halved any more when the servers do not promise it
)

// Room returns how many bytes one copy of all streams that Check looked at may hold
// when nobody says: nine tenths of what the account may, else six tenths of what the
// servers have. Where they do not promise a tenth more, it is halved: they tell each
// other only every ten seconds what they have promised, and buckets and the smallest
// limits of streams come on top. It does not matter when every stream has a limit.
func (c *Cluster) Room(ctx context.Context) int64 {
	total := int64(roomUnseen)
	switch {
	case c.limits.MaxStore > 0:
		total = c.limits.MaxStore / int64(c.want) / 10 * 9
	case c.disk > 0:
		total = c.disk / 10 * 6
	}
	for c.bare && total > roomLeast && !c.promised(ctx, total+total/10) {
		total /= 2
	}
	return total
}

// promised reports whether the servers would keep a stream of n bytes. They take a
// limit as a promise, and one server may not promise more than it has; only making a
// stream tells.
func (c *Cluster) promised(ctx context.Context, n int64) bool {
	name := "PROBE_" + nuid.Next()
	_, err := c.cfg.JS.CreateStream(ctx, jetstream.StreamConfig{
		Name: name, Subjects: []string{name}, MaxBytes: n, Replicas: c.want, Storage: jetstream.FileStorage, Discard: jetstream.DiscardNew,
	})
	if err == nil {
		err = c.cfg.JS.DeleteStream(ctx, name)
		c.probed = time.Now()
	}
	return !noRoom(err) || c.fewServers(err)
}

// bucketBytes is far more than leases and a table of slots take.
const bucketBytes = 16 << 20

// Wanted returns how many servers are to keep a new stream.
func (c *Cluster) Wanted() int { return c.want }

// Has reports whether a stream is known to be there.
func (c *Cluster) Has(ctx context.Context, stream string) bool {
	_, err := c.cfg.JS.Stream(ctx, stream)
	return err == nil
}

// EnsureBucket is Ensure for a bucket.
func (c *Cluster) EnsureBucket(ctx context.Context, cfg jetstream.KeyValueConfig) (jetstream.KeyValue, error) {
	have, err := c.cfg.JS.Stream(ctx, "KV_"+cfg.Bucket)
	switch {
	case err == nil:
		if err := c.copyBucket(ctx, have); err != nil {
			return nil, c.refusal(err)
		}
		return c.cfg.JS.KeyValue(ctx, cfg.Bucket)
	case !errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, err
	}
	cfg.Replicas, cfg.MaxBytes = c.want, bucketBytes // an account may demand a limit
	kv, err := c.cfg.JS.CreateOrUpdateKeyValue(ctx, cfg)
	return kv, c.refusal(err)
}

// copyBucket gives the stream of a bucket as many copies as are wanted.
func (c *Cluster) copyBucket(ctx context.Context, have jetstream.Stream) error {
	was := have.CachedInfo().Config
	_, err := c.copy(ctx, have, was)
	if (noRoom(err) || c.fewServers(err)) && c.cfg.Replicas == 0 && c.want > was.Replicas {
		c.cfg.Log.WarnContext(ctx, "log keeps its number of copies: servers are missing or have no room", "log", was.Name, "replicas", was.Replicas, "wanted", c.want, "error", err)
		return nil
	}
	return err
}

// Ensure makes a stream, or brings it to cfg, with as many copies as are wanted.
// Where that is more than before, Settle waits for them.
//
// fault.Invalid: there are not as many servers, or their disks are too small. Other
// errors are the client's own.
func (c *Cluster) Ensure(ctx context.Context, cfg jetstream.StreamConfig) (jetstream.Stream, error) {
	have, err := c.cfg.JS.Stream(ctx, cfg.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		cfg.Replicas = c.want
		if most := c.limits.StoreMaxStreamBytes; most > 0 {
			cfg.MaxBytes = min(cfg.MaxBytes, most)
		}
		begun := time.Now()
		s, err := c.cfg.JS.CreateOrUpdateStream(ctx, cfg)
		for (noRoom(err) && time.Since(c.probed) < probeCounts || c.joining(err) && time.Since(begun) < joinTime) && delay.For(ctx, time.Second) {
			s, err = c.cfg.JS.CreateOrUpdateStream(ctx, cfg)
		}
		return s, c.refusal(err)
	}
	if err != nil {
		return nil, err
	}
	was := have.CachedInfo()
	open := false // a limit would be a new one, and may be left out
	switch {
	case c.cfg.Bytes != 0:
	case was.Config.MaxBytes > 0:
		cfg.MaxBytes = was.Config.MaxBytes
	default:
		cfg.MaxBytes, open = max(cfg.MaxBytes, 2*int64(was.State.Bytes)), true
	}
	s, err := c.copy(ctx, have, cfg)
	if open && noRoom(err) {
		c.cfg.Log.WarnContext(ctx, "log stays without a limit: the servers have no room to promise it; set --events-bytes", "log", cfg.Name, "bytes", cfg.MaxBytes)
		cfg.MaxBytes = -1
		s, err = c.copy(ctx, have, cfg)
	}
	if (noRoom(err) || c.fewServers(err)) && c.cfg.Replicas == 0 && c.want > was.Config.Replicas {
		c.cfg.Log.WarnContext(ctx, "log keeps its number of copies: servers are missing or have no room", "log", cfg.Name, "replicas", was.Config.Replicas, "wanted", c.want, "error", err)
		cfg.Replicas, cfg.MaxBytes = was.Config.Replicas, was.Config.MaxBytes
		s, err = c.update(ctx, have, cfg)
	}
	return s, c.refusal(err)
}

// copy brings a stream that there is to cfg, with as many copies as are wanted.
func (c *Cluster) copy(ctx context.Context, have jetstream.Stream, cfg jetstream.StreamConfig) (jetstream.Stream, error) {
	now := max(have.CachedInfo().Config.Replicas, 1)
	cfg.Replicas = c.want
	if c.cfg.Replicas == 0 {
		cfg.Replicas = max(now, c.want)
	}
	s, err := c.update(ctx, have, cfg)
	switch {
	case err != nil:
		return nil, err
	case cfg.Replicas > now:
		c.cfg.Log.InfoContext(ctx, "log gets more copies", "log", cfg.Name, "from", now, "to", cfg.Replicas)
		c.raised = append(c.raised, cfg.Name)
	case cfg.Replicas < now:
		c.cfg.Log.WarnContext(ctx, "log gets fewer copies", "log", cfg.Name, "from", now, "to", cfg.Replicas)
	}
	return s, nil
}

// update brings a stream to cfg. One that is there already is left alone: servers that
// promised more than they have would refuse what changes nothing.
func (c *Cluster) update(ctx context.Context, have jetstream.Stream, cfg jetstream.StreamConfig) (jetstream.Stream, error) {
	was := have.CachedInfo().Config
	if slices.Equal(was.Subjects, cfg.Subjects) && was.Retention == cfg.Retention && was.Discard == cfg.Discard && was.MaxBytes == cfg.MaxBytes && was.MaxMsgs == cfg.MaxMsgs &&
		was.MaxMsgSize == cfg.MaxMsgSize && was.Storage == cfg.Storage && was.Replicas == cfg.Replicas && was.DenyDelete == cfg.DenyDelete && was.Duplicates == cfg.Duplicates {
		return have, nil
	}
	return c.cfg.JS.UpdateStream(ctx, cfg)
}

// refusal turns errors of the servers that a person has to mend into a sentence.
func (c *Cluster) refusal(err error) error {
	var api *jetstream.APIError
	switch {
	case !errors.As(err, &api):
		return err
	case c.fewServers(err):
		return fault.New(fault.Invalid, "Each log is to be kept by %d servers of --events, and they cannot (%s): start those that are missing, or say --replicas 1.",
			c.want, cmp.Or(api.Description, "too few"))
	case api.ErrorCode == codeStreamBytes:
		return fault.New(fault.Invalid, "A stream of the account of --events may hold %d bytes, too few for a log: raise its disk_max_stream_bytes, or lower --events-bytes.", c.limits.StoreMaxStreamBytes)
	case api.ErrorCode == codeStreams:
		return fault.New(fault.Invalid, "The account of --events may have %d streams and has %d: raise its max_streams.", c.limits.MaxStreams, c.used)
	case noRoom(err):
		return fault.New(fault.Invalid, "The servers of --events have no room for the logs (%s): give them a larger max_file_store or the account a larger max_file, or lower --events-bytes.", api.Description)
	}
	return err
}

// noRoom reports whether err says that a server or the account has not enough disk.
func noRoom(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (slices.Contains([]jetstream.ErrorCode{codeStorage, codeAccount, codeResources}, api.ErrorCode) ||
		api.ErrorCode == codeNoPeers && strings.Contains(api.Description, "insufficient storage"))
}

// Codes of the servers' API errors.
// Source: nats-server v2.15.2, server/jetstream_errors_generated.go.
const (
	codeAccount     = 10002
	codeNoPeers     = 10005
	codeResources   = 10023
	codeStorage     = 10047
	codeReplicas    = 10074 // there is no cluster
	codeStreams     = 10027
	codeStreamBytes = 10122
)

// fewServers reports whether err says that there are fewer servers than copies.
func (c *Cluster) fewServers(err error) bool {
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		return false
	}
	return api.ErrorCode == codeReplicas || api.ErrorCode == codeNoPeers && (c.seen < c.want || !noRoom(err))
}

// joinTime is how long a server that just started may count as away.
const joinTime = 10 * time.Second

// joining reports whether a server may only not have been heard of by the others yet.
func (c *Cluster) joining(err error) bool {
	return c.fewServers(err) && strings.Contains(err.Error(), "offline")
}
