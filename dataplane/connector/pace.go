package connector

import (
	"io"
	"time"
)

// paced reads what a connector says, so many bytes in a second at most. What is not read
// fills the pipe, and the connector waits.
type paced struct {
	from  io.Reader
	most  int64 // bytes in a second; 0: any number
	began time.Time
	read  int64
	ended <-chan struct{}
}

// Read implements io.Reader. What could have been said while nobody read is not made up for
// beyond a second.
func (p *paced) Read(b []byte) (int, error) {
	if p.most > 0 {
		now := time.Now()
		if rest := now.Sub(p.began) - time.Duration(float64(p.read)/float64(p.most)*float64(time.Second)); rest > time.Second {
			p.began = p.began.Add(rest - time.Second)
		} else if rest < 0 {
			timer := time.NewTimer(-rest)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-p.ended: // the pipe says so
			}
		}
		b = b[:min(int64(len(b)), max(p.most/8, 1))]
	}
	n, err := p.from.Read(b)
	p.read += int64(n)
	return n, err
}
