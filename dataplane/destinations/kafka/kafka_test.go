package kafka_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"weir/dataplane/destination"
	"weir/dataplane/destination/destinationtest"
	"weir/dataplane/destinations/kafka"
	"weir/dataplane/event"
	"weir/dataplane/syncs/syncstest"
	"weir/shared/egress"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/workspace/activation"
)

// The topics of the tests' clusters.
var topics = []string{"events", "events-track", "Order_Completed", "_", "track.src_kit.ws_kit"}

// cluster is a cluster of three brokers, with a reader of its topics.
type cluster struct {
	*kfake.Cluster
	t       testing.TB
	reader  *kgo.Client
	records []*kgo.Record
	broken  atomic.Pointer[kerr.Error] // the answer to all that is produced
}

func newCluster(t testing.TB, options ...kfake.Opt) *cluster {
	k, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(3), kfake.SeedTopics(1, topics...)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	c := &cluster{Cluster: k, t: t}
	k.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		k.KeepControl()
		answer := c.broken.Load()
		if answer == nil {
			return nil, nil, false
		}
		res := r.ResponseKind().(*kmsg.ProduceResponse)
		for _, topic := range r.(*kmsg.ProduceRequest).Topics {
			rt := kmsg.NewProduceResponseTopic()
			rt.Topic, rt.TopicID = topic.Topic, topic.TopicID
			for _, p := range topic.Partitions {
				rp := kmsg.NewProduceResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p.Partition, answer.Code
				rt.Partitions = append(rt.Partitions, rp)
			}
			res.Topics = append(res.Topics, rt)
		}
		return res, nil, true
	})
	return c
}

// read returns all records there are, in the order of each partition.
func (c *cluster) read(options ...kgo.Opt) []*kgo.Record {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	if c.reader == nil {
		var err error
		if c.reader, err = kgo.NewClient(append(options, kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumeTopics(topics...), kgo.FetchMaxWait(50*time.Millisecond))...); err != nil {
			c.t.Fatal(err)
		}
		c.t.Cleanup(c.reader.Close)
	}
	for want := c.written(ctx); int64(len(c.records)) < want; {
		fetches := c.reader.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			c.t.Fatal(err)
		}
		c.records = append(c.records, fetches.Records()...)
	}
	return c.records
}

// written is how many records the topics have.
func (c *cluster) written(ctx context.Context) (n int64) {
	r := kmsg.NewPtrListOffsetsRequest()
	r.ReplicaID = -1
	for _, name := range topics {
		topic := kmsg.NewListOffsetsRequestTopic()
		topic.Topic = name
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Timestamp = -1 // the end
		topic.Partitions = append(topic.Partitions, p)
		r.Topics = append(r.Topics, topic)
	}
	for _, shard := range c.reader.RequestSharded(ctx, r) {
		if shard.Err != nil {
			c.t.Fatal(shard.Err)
		}
		for _, topic := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
			for _, p := range topic.Partitions {
				n += p.Offset
			}
		}
	}
	return n
}

// deps lead the address of the cases to the cluster; the brokers that it names are where
// they say.
func (c *cluster) deps() destination.Deps {
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		if strings.HasPrefix(addr, "kafka.example.com:") {
			addr = c.ListenAddrs()[0]
		}
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}
	return destination.Deps{Dial: dial, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
}

func opened(t testing.TB, settings string, secrets map[string]string) destination.Opened {
	t.Helper()
	given := map[string]secret.String{}
	for name, s := range secrets {
		given[name] = secret.NewString(s)
	}
	o, err := kafka.Kind().Open([]byte(settings), given)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func sink(t testing.TB, settings string, secrets map[string]string, deps destination.Deps) destination.Sink {
	t.Helper()
	s, err := opened(t, settings, secrets).Sink(t.Context(), deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func settings(topic, more string) string {
	return fmt.Sprintf(`{"brokers":"kafka.example.com:9092","tls":false,"topic":%q%s}`, topic, more)
}

// messages are the messageIds of records.
func messages(records []*kgo.Record) (all []id.Event) {
	for _, r := range records {
		var head struct{ MessageID id.Event }
		_ = json.Unmarshal(r.Value, &head) // what is not read differs from what is wanted
		all = append(all, head.MessageID)
	}
	return all
}

func TestContract(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	destinationtest.CheckSink(t, destinationtest.Sink{
		Opened: opened(t, settings("events", ""), nil), Deps: c.deps(),
		Taken: func() []id.Event { return messages(c.read()) },
		Break: func(broken bool) {
			c.broken.Store(nil)
			if broken {
				c.broken.Store(kerr.TopicAuthorizationFailed)
			}
		},
	})
}

// TestSyncs has the rows of a model as records, from which their state can be read, whatever
// is lost on the way; a row's key is that of its records.
func TestSyncs(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.read()
	syncstest.Keeps(t, syncstest.Kept{
		Opened: opened(t, settings("events", ""), nil), Deps: c.deps(), Sync: activation.Sync{Object: "record"},
		Records: func() map[string]string {
			var messages [][]byte
			for _, r := range c.read() {
				if !strings.Contains(string(r.Value), fmt.Sprintf(`"key":%q`, r.Key)) {
					t.Fatalf("the record with the key %q is %s", r.Key, r.Value)
				}
				messages = append(messages, r.Value)
			}
			return syncstest.Replay(t, messages...)
		},
		Break: func(broken bool) {
			c.broken.Store(nil)
			if broken {
				c.broken.Store(kerr.TopicAuthorizationFailed)
			}
		},
	}, 4)
}

func TestCases(t *testing.T) {
	t.Parallel()
	destinationtest.SinkCases(t, kafka.Kind(), ".", func(t testing.TB) destinationtest.Side {
		c := newCluster(t)
		return destinationtest.Side{Deps: c.deps(), Arrived: func() (lines []string) {
			records := c.read()
			slices.SortStableFunc(records, func(a, b *kgo.Record) int { return strings.Compare(a.Topic, b.Topic) })
			for _, r := range records {
				headers := map[string]string{}
				for _, h := range r.Headers {
					headers[h.Key] = string(h.Value)
				}
				b, err := json.Marshal(map[string]any{"topic": r.Topic, "key": string(r.Key), "headers": headers, "at": r.Timestamp.UTC(), "value": string(r.Value)})
				if err != nil {
					t.Fatal(err)
				}
				lines = append(lines, string(b))
			}
			return lines
		}}
	})
}

// batch is so many events of a few users.
func batch(from, n int) destination.Batch {
	b := destination.Batch{Now: time.Now()}
	for i := from; i < from+n; i++ {
		e := event.Event{MessageID: id.Event(fmt.Sprint("m", i)), Type: "track", User: fmt.Sprint("u", i%7), ReceivedAt: time.UnixMilli(1e12), JSON: fmt.Appendf(nil, `{"messageId":"m%d","type":"track"}`, i)}
		b.Items = append(b.Items, destination.Item{Event: e, Attempt: 1})
	}
	return b
}

// TestAnswersOfTheCluster has an outcome and a code for what a cluster answers.
func TestAnswersOfTheCluster(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s := sink(t, settings("events", ""), nil, c.deps())
	for answer, want := range map[*kerr.Error]string{
		kerr.MessageTooLarge:            fmt.Sprint(destination.Dead, kafka.CodeTooLarge),
		kerr.InvalidRecord:              fmt.Sprint(destination.Dead, kafka.CodeRefused),
		kerr.InvalidTopicException:      fmt.Sprint(destination.Dead, kafka.CodeBadTopic),
		kerr.TopicAuthorizationFailed:   fmt.Sprint(destination.Retry, kafka.CodeDenied),
		kerr.ClusterAuthorizationFailed: fmt.Sprint(destination.Retry, kafka.CodeDenied),
		kerr.InvalidRequiredAcks:        fmt.Sprint(destination.Retry, kafka.CodeNotWritten),
	} {
		c.broken.Store(answer)
		verdicts, err := s.Write(t.Context(), batch(0, 3))
		if err != nil || len(verdicts) != 3 {
			t.Fatalf("%v: %v, %v", answer, verdicts, err)
		}
		for _, v := range verdicts {
			if got := fmt.Sprint(v.Outcome, v.Code); got != want || v.Detail == "" {
				t.Errorf("%v: %+v, want %s", answer, v, want)
			}
		}
	}
	c.broken.Store(nil)
	if verdicts, err := s.Write(t.Context(), batch(0, 3)); err != nil || verdicts[2].Outcome != destination.Delivered {
		t.Errorf("afterwards: %v, %v", verdicts, err)
	}
}

// TestTopicsThatDoNotExist: the one topic of a destination may yet be made; an event
// whose topic is its own lets the others go on.
func TestTopicsThatDoNotExist(t *testing.T) {
	t.Parallel()
	c := newCluster(t, kfake.AllowAutoTopicCreation())
	for topic, want := range map[string]destination.Outcome{"absent": destination.Retry, "absent-{type}": destination.Dead} {
		verdicts, err := sink(t, settings(topic, ""), nil, c.deps()).Write(t.Context(), batch(0, 2))
		if err != nil || verdicts[1].Outcome != want || verdicts[1].Code != kafka.CodeUnknownTopic {
			t.Errorf("%s: %+v, %v", topic, verdicts, err)
		}
	}
	verdicts, err := sink(t, settings("made-{type}", `,"createTopics":true`), nil, c.deps()).Write(t.Context(), batch(0, 2))
	if err != nil || verdicts[1].Outcome != destination.Delivered {
		t.Errorf("a topic that may be made: %+v, %v", verdicts, err)
	}
}

// TestOrder has broken connections and leaders that move under writes that are repeated:
// for the first time, each user's events come in order.
func TestOrder(t *testing.T) {
	t.Parallel()
	const events, each = 210, 7
	c := newCluster(t, kfake.SeedTopics(4, "ordered"))
	topics := []string{"ordered"}
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if n := flips.Add(1); n%5 == 3 {
			return nil, errors.New("the connection breaks"), true
		}
		return nil, nil, false
	})
	s := sink(t, settings("ordered", ""), nil, c.deps())
	for from := 0; from < events; from += each {
		if from%70 == 0 {
			if err := c.MoveTopicPartition("ordered", int32(from/70%4), int32(from/70%3)); err != nil {
				t.Fatal(err)
			}
		}
		todo := batch(from, each)
		for len(todo.Items) > 0 {
			verdicts, err := s.Write(t.Context(), todo)
			var left []destination.Item
			for i, v := range destination.Wrote(len(todo.Items), verdicts, err) {
				if v.Outcome != destination.Delivered {
					left = append(left, todo.Items[i])
				}
			}
			todo.Items = left
		}
	}
	reader, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumeTopics(topics...), kgo.FetchMaxWait(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	seen, last := map[id.Event]bool{}, map[string]int{}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for len(seen) < events && ctx.Err() == nil {
		for _, r := range reader.PollFetches(ctx).Records() {
			m := messages([]*kgo.Record{r})[0]
			var n int
			if _, err := fmt.Sscanf(string(m), "m%d", &n); err != nil {
				t.Fatal(err)
			}
			if was, some := last[string(r.Key)]; !seen[m] && some && n < was {
				t.Errorf("%s came for the first time after m%d of the same user", m, was)
			}
			seen[m], last[string(r.Key)] = true, max(last[string(r.Key)], n)
		}
	}
	if len(seen) != events {
		t.Errorf("%d of %d events came", len(seen), events)
	}
}

var flips atomic.Int64 // produce requests of TestOrder

func TestSignIn(t *testing.T) {
	t.Parallel()
	c := newCluster(t, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "weir", "made-up-password"), kfake.Superuser("PLAIN", "weir", "made-up-password"))
	for _, method := range []string{"plain", "scramSha512"} {
		for password, want := range map[string]string{"made-up-password": "", "a-wrong-password": kafka.CodeSignIn} {
			s := sink(t, settings("events", `,"sasl":"`+method+`"`), map[string]string{"username": "weir", "password": password}, c.deps())
			verdicts, err := s.Write(t.Context(), batch(0, 1))
			v := destination.Wrote(1, verdicts, err)[0]
			if v.Code != want || strings.Contains(fmt.Sprint(v, err), password) {
				t.Errorf("%s with %s: %+v, %v, want code %q", method, password, v, err, want)
			}
			if err := s.(interface{ Test(context.Context) error }).Test(t.Context()); (err == nil) != (want == "") {
				t.Errorf("%s: Test = %v", method, err)
			}
		}
	}
}

// TestEgress wants brokers at private addresses to be refused where the plane forbids
// them, those too that the cluster names.
func TestEgress(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	strict := egress.New(egress.Policy{}).DialContext
	for name, dial := range map[string]func(ctx context.Context, network, addr string) (net.Conn, error){
		"the first broker": func(ctx context.Context, network, _ string) (net.Conn, error) {
			return strict(ctx, network, c.ListenAddrs()[0])
		},
		"brokers that the cluster names": func(ctx context.Context, network, addr string) (net.Conn, error) {
			if strings.HasPrefix(addr, "kafka.example.com:") {
				return c.deps().Dial(ctx, network, addr)
			}
			return strict(ctx, network, addr)
		},
	} {
		deps := c.deps()
		deps.Dial = dial
		s := sink(t, settings("events", ""), nil, deps)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		verdicts, err := s.Write(ctx, batch(0, 1))
		cancel()
		if v := destination.Wrote(1, verdicts, err)[0]; v.Outcome != destination.Retry || v.Code != "egress_denied" {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
	if len(c.read()) > 0 {
		t.Error("a record came")
	}
}

// TestAClusterThatIsAway has a code for it, and is used again when it is back.
func TestAClusterThatIsAway(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	var away atomic.Bool
	deps := c.deps()
	dial := deps.Dial
	deps.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if away.Load() {
			addr = "127.0.0.1:1"
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if !away.Load() {
			conn, err = dial(ctx, network, addr)
		}
		return conn, err
	}
	s := sink(t, settings("events", ""), nil, deps)
	away.Store(true)
	verdicts, err := s.Write(t.Context(), batch(0, 1))
	if v := destination.Wrote(1, verdicts, err)[0]; v.Code != "refused" {
		t.Errorf("away: %+v, %v, want refused", v, err)
	}
	away.Store(false)
	if verdicts, err := s.Write(t.Context(), batch(0, 1)); err != nil || verdicts[0].Outcome != destination.Delivered {
		t.Errorf("back again: %+v, %v", verdicts, err)
	}
}

// TestAClusterThatHangs wants a write to end with its context, and what it left to come
// no more.
func TestAClusterThatHangs(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	hang := make(chan struct{})
	var hanging atomic.Bool
	hanging.Store(true)
	c.ControlKey(int16(kmsg.Metadata), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if hanging.Load() {
			c.SleepControl(func() { <-hang })
		}
		return nil, nil, false
	})
	s := sink(t, settings("events", ""), nil, c.deps())
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	verdicts, err := s.Write(ctx, batch(0, 2))
	if v := destination.Wrote(2, verdicts, err)[0]; v.Code != "timeout" {
		t.Errorf("hanging: %+v, %v", v, err)
	}
	hanging.Store(false)
	close(hang)
	if verdicts, err := s.Write(t.Context(), batch(2, 2)); err != nil || verdicts[0].Outcome != destination.Delivered {
		t.Errorf("afterwards: %+v, %v", verdicts, err)
	}
	if got := messages(c.read()); !slices.Equal(got, []id.Event{"m2", "m3"}) {
		t.Errorf("%v came, want what was written afterwards", got)
	}
}
