package outbound

import (
	"context"
	"net"
	"sync"
	"time"

	"weir/dataplane/destination/trust"
	"weir/dataplane/httpsend"
)

// maxPools is how many ways to secure connections are kept with their connections.
const maxPools = 1024

// pools are the connections of requests that are secured in ways of their own. A connection
// that was made by one serves no other.
type pools struct {
	dial func(ctx context.Context, network, addr string) (net.Conn, error)

	mu   sync.Mutex
	kept map[string]*pool // by trust.HTTP.Key
}

type pool struct {
	transport *httpsend.Transport
	used      time.Time
}

// of returns the transport of h. When there are too many, the one that was used least
// lately is forgotten; its requests go on.
func (p *pools) of(h *trust.HTTP) *httpsend.Transport {
	p.mu.Lock()
	defer p.mu.Unlock()
	if found := p.kept[h.Key]; found != nil {
		found.used = time.Now()
		return found.transport
	}
	if len(p.kept) >= maxPools {
		oldest := ""
		for key, one := range p.kept {
			if oldest == "" || one.used.Before(p.kept[oldest].used) {
				oldest = key
			}
		}
		p.kept[oldest].transport.CloseIdleConnections()
		delete(p.kept, oldest)
	}
	if p.kept == nil {
		p.kept = map[string]*pool{}
	}
	made := &pool{transport: httpsend.New(httpsend.Config{Dial: p.dial, Standard: true, TLS: h.Config}), used: time.Now()}
	p.kept[h.Key] = made
	return made.transport
}

// close closes idle connections.
func (p *pools) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.kept {
		one.transport.CloseIdleConnections()
	}
}
