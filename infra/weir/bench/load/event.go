// Package load generates the events of a bench and sends them, in a closed loop or
// an open one. The messageId of an event holds the number of its load and the
// event's sequence there.
package load

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Users is how many different Users the events have; Users come in turn, so
// that no two events of one user are under way at once.
const Users = 100_000

// IDLength is the length of a messageId, in bytes.
const IDLength = 36

// AppendID writes the messageId of an event: a UUID that holds phase and sequence.
func AppendID(b []byte, phase, seq uint32) []byte {
	b = appendHex(b, uint64(phase), 8)
	b = append(b, "-0000-4000-8000-"...)
	return appendHex(b, uint64(seq), 12)
}

func appendHex(b []byte, n uint64, width int) []byte {
	var digits [16]byte
	text := strconv.AppendUint(digits[:0], n, 16)
	for range width - len(text) {
		b = append(b, '0')
	}
	return append(b, text...)
}

// ParseID is the reverse of AppendID; false when id is none of a bench's.
func ParseID(id string) (phase, seq uint32, ok bool) {
	if len(id) != IDLength || id[8:24] != "-0000-4000-8000-" {
		return 0, 0, false
	}
	p, err := strconv.ParseUint(id[:8], 16, 32)
	if err != nil {
		return 0, 0, false
	}
	s, err := strconv.ParseUint(id[24:], 16, 32)
	if err != nil {
		return 0, 0, false
	}
	return uint32(p), uint32(s), true
}

// eventTail is what does not differ between events; with the rest an event has 1 KB.
const eventTail = `","context":{"library":{"name":"analytics.js","version":"npm:next-1.84.3"},` +
	`"page":{"path":"/shop/checkout","referrer":"https://www.example.com/shop/basket","search":"?step=3","title":"Checkout","url":"https://www.example.com/shop/checkout?step=3"},` +
	`"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36","locale":"en-GB","timezone":"Europe/Berlin",` +
	`"campaign":{"name":"spring","source":"newsletter","medium":"email"},"screen":{"width":1920,"height":1080,"density":2}},"integrations":{},` +
	`"properties":{"checkout_id":"c-7f3a90","currency":"EUR","revenue":129.9,"shipping":4.95,"coupon":"SPRING","products":[` +
	`{"product_id":"4711","sku":"G-32","name":"Gravel shoe","price":89.95,"quantity":1},{"product_id":"815","sku":"W-01","name":"Wool socks","price":19.975,"quantity":2}]}}`

// AppendEvent writes one track event.
func AppendEvent(b []byte, phase, seq uint32, now time.Time) []byte {
	user := uint64(seq) % Users
	b = append(b, `{"type":"track","event":"Order Completed","messageId":"`...)
	b = AppendID(b, phase, seq)
	b = append(b, `","userId":"user-`...)
	b = strconv.AppendUint(b, user, 10)
	b = append(b, `","anonymousId":"5d3c1f0e-9a70-4c1b-8a4e-`...)
	b = appendHex(b, user, 12)
	b = append(b, `","timestamp":"`...)
	b = now.AppendFormat(b, "2006-01-02T15:04:05.000Z07:00")
	b = append(b, `","sentAt":"`...)
	b = now.AppendFormat(b, "2006-01-02T15:04:05.000Z07:00")
	return append(b, eventTail...)
}

// Target is where events go.
type Target struct {
	address string        // host:port
	head    string        // of each request, to be followed by the length of the body
	PID     int           // of the process behind it
	Open    *atomic.Int64 // connections to it
}

// NewTarget takes the URL of a gateway, a write key, and the process behind it.
func NewTarget(url, key string, pid int) (Target, error) {
	address, ok := strings.CutPrefix(url, "http://")
	if !ok || address == "" || key == "" {
		return Target{}, fmt.Errorf("no address and write key in %q", url)
	}
	head := " HTTP/1.1\r\nHost: " + address + "\r\nAuthorization: Basic " + basic(key) +
		"\r\nContent-Type: application/json\r\nUser-Agent: weir-bench\r\nContent-Length: "
	return Target{address: address, head: head, PID: pid, Open: new(atomic.Int64)}, nil
}

// appendRequest writes a whole request with n events from seq on: to /v1/track
// when n is 1, else to /v1/batch. body is memory to use; both are returned.
func (t Target) appendRequest(b, body []byte, phase, seq uint32, n int) (request, reused []byte) {
	now := time.Now().UTC()
	path := "/v1/track"
	body = body[:0]
	if n == 1 {
		body = AppendEvent(body, phase, seq, now)
	} else {
		path = "/v1/batch"
		body = append(body, `{"batch":[`...)
		for i := range n {
			if i > 0 {
				body = append(body, ',')
			}
			body = AppendEvent(body, phase, seq+uint32(i), now)
		}
		body = append(body, `]}`...)
	}
	b = append(b, "POST "...)
	b = append(b, path...)
	b = append(b, t.head...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\n\r\n"...)
	return append(b, body...), body
}
