package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/shared/fault"
)

// What every server answers. The first is open to every account of a server that has
// a system account; the second to accounts that import it from there.
const (
	askServers = "$SYS.REQ.ACCOUNT.PING.CONNZ"
	askSyncing = "$SYS.REQ.SERVER.PING.JSZ"
)

// Times of a question to all servers.
const (
	firstAnswer = 2 * time.Second        // until one came
	lastAnswer  = 500 * time.Millisecond // after each
)

// answer is what of a server's answer is read.
type answer struct {
	Server struct {
		Name      string `json:"name"`
		Cluster   string `json:"cluster"`
		JetStream bool   `json:"jetstream"`
	} `json:"server"`
	Data struct {
		Config *struct {
			SyncAlways   bool          `json:"sync_always"`
			SyncInterval time.Duration `json:"sync_interval"`
			MaxStorage   int64         `json:"max_storage"`
		} `json:"config"`
		Reserved int64 `json:"reserved_storage"`
	} `json:"data"`
}

// ask puts a question to all servers of the cluster of this connection and returns
// the answers of those that run JetStream, none when nobody may ask.
func (c *Cluster) ask(ctx context.Context, subject, question string) []answer {
	inbox := c.cfg.Conn.NewInbox()
	sub, err := c.cfg.Conn.SubscribeSync(inbox)
	if err != nil {
		return nil
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := c.cfg.Conn.PublishRequest(subject, inbox, []byte(question)); err != nil {
		return nil
	}
	own := c.cfg.Conn.ConnectedClusterName()
	var all []answer
	for patience := firstAnswer; ; patience = lastAnswer {
		next, cancel := context.WithTimeout(ctx, patience)
		msg, err := sub.NextMsgWithContext(next)
		cancel()
		if err != nil || msg.Header.Get("Status") != "" { // nobody, or nobody who may be asked
			return all
		}
		var a answer
		if json.Unmarshal(msg.Data, &a) == nil && a.Server.JetStream && a.Server.Cluster == own {
			all = append(all, a)
		}
	}
}

// servers returns the names of the servers that answer, sorted.
func (c *Cluster) servers(ctx context.Context) []string {
	var names []string
	for _, a := range c.ask(ctx, askServers, `{"limit":1}`) {
		names = append(names, a.Server.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// checkSync looks whether the servers sync each write. fault.Invalid: one is seen that
// does not, and that was not asked for.
func (c *Cluster) checkSync(ctx context.Context) error {
	seen := c.ask(ctx, askSyncing, `{}`)
	var lazy []string
	c.Synced, c.Lazy = len(seen) > 0, nil
	for _, a := range seen {
		if a.Data.Config == nil || !a.Data.Config.SyncAlways {
			c.Synced = false
		}
		if a.Data.Config == nil {
			continue
		}
		if !a.Data.Config.SyncAlways {
			c.Lazy = append(c.Lazy, a.Server.Name)
			lazy = append(lazy, fmt.Sprintf("%s (every %v)", a.Server.Name, a.Data.Config.SyncInterval))
		}
		if left := a.Data.Config.MaxStorage - a.Data.Reserved; left > 0 && (c.disk == 0 || left < c.disk) {
			c.disk = left
		}
	}
	slices.Sort(lazy)
	slices.Sort(c.Lazy)
	switch {
	case len(lazy) > 0 && !c.cfg.LazySync:
		return fault.New(fault.Invalid, "The event servers sync to their disks only now and then, so a power cut loses acknowledged events: %s. Write sync_interval: always into the jetstream block of their configuration, or start with --allow-lazy-sync.",
			strings.Join(lazy, ", "))
	case len(lazy) > 0:
		c.cfg.Log.WarnContext(ctx, "event servers sync only now and then: a power cut loses acknowledged events", "servers", strings.Join(lazy, ", "))
	case !c.Synced:
		c.cfg.Log.WarnContext(ctx, "event servers do not tell whether they sync each write: see that their configuration has sync_interval: always, and let the account import the service "+askSyncing+" from the system account")
	}
	return nil
}
