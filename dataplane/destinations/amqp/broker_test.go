package amqp_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// broker speaks as much of AMQP 0-9-1 as publishers need, and refuses what RabbitMQ
// refuses. It has the exchange "events", to which a queue is bound for all routing keys
// but those that begin with "nowhere", and the default exchange with the queue "queue".
//
// Source: https://www.rabbitmq.com/resources/specs/amqp0-9-1.extended.xml
type broker struct {
	net.Listener
	t testing.TB

	mu       sync.Mutex
	messages []message
	broken   bool // queues take nothing
	nack     func(id string) bool
	hang     bool // nothing is confirmed
	conns    map[net.Conn]bool
}

// message is a message that a queue has.
type message struct {
	exchange, key, id, typ, content string
	mode                            byte
	at                              uint64
	body                            string
}

const username, password = "weir-user", "made-up-password"

func newBroker(t testing.TB) *broker {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &broker{Listener: l, t: t, conns: map[net.Conn]bool{}}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			b.mu.Lock()
			b.conns[conn] = true
			b.mu.Unlock()
			serving.Go(func() {
				defer conn.Close()
				if err := (&session{broker: b, conn: conn, in: bufio.NewReader(conn)}).run(); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") && !strings.Contains(err.Error(), "pipe") {
					t.Errorf("the broker: %v", err)
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		b.cut()
		serving.Wait()
	})
	return b
}

// cut breaks all connections.
func (b *broker) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for conn := range b.conns {
		_ = conn.Close()
	}
	b.conns = map[net.Conn]bool{}
}

// session is one connection.
type session struct {
	*broker
	conn net.Conn
	in   *bufio.Reader
	tag  uint64
}

// frame reads a frame.
func (s *session) frame() (typ byte, channel uint16, payload []byte, err error) {
	head := make([]byte, 7)
	if _, err := io.ReadFull(s.in, head); err != nil {
		return 0, 0, nil, err
	}
	payload = make([]byte, binary.BigEndian.Uint32(head[3:]))
	if _, err := io.ReadFull(s.in, payload); err != nil {
		return 0, 0, nil, err
	}
	if end, err := s.in.ReadByte(); err != nil || end != 0xCE {
		return 0, 0, nil, fmt.Errorf("a frame ends with %x, %w", end, err)
	}
	return head[0], binary.BigEndian.Uint16(head[1:]), payload, nil
}

// send writes a frame.
func (s *session) send(typ byte, channel uint16, payload []byte) {
	b := binary.BigEndian.AppendUint16([]byte{typ}, channel)
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	_, _ = s.conn.Write(append(append(b, payload...), 0xCE)) // who is gone misses nothing
}

// method is the payload of a method: its class and number, and arguments.
func method(class, number uint16, args ...any) []byte {
	b := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, class), number)
	for _, a := range args {
		switch a := a.(type) {
		case byte:
			b = append(b, a)
		case uint16:
			b = binary.BigEndian.AppendUint16(b, a)
		case uint32:
			b = binary.BigEndian.AppendUint32(b, a)
		case uint64:
			b = binary.BigEndian.AppendUint64(b, a)
		case string: // a short one
			b = append(append(b, byte(len(a))), a...)
		case []byte: // a long one
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(a))), a...)
		}
	}
	return b
}

// reader reads arguments.
type reader struct{ b []byte }

func (r *reader) take(n int) []byte {
	n = min(n, len(r.b))
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) short() string { return string(r.take(int(r.take(1)[0]))) }
func (r *reader) long() string  { return string(r.take(int(binary.BigEndian.Uint32(r.take(4))))) }
func (r *reader) u16() uint16   { return binary.BigEndian.Uint16(r.take(2)) }

func (s *session) run() error {
	hello := make([]byte, 8)
	if _, err := io.ReadFull(s.in, hello); err != nil || string(hello) != "AMQP\x00\x00\x09\x01" {
		return err
	}
	s.send(1, 0, method(10, 10, byte(0), byte(9), uint32(0), []byte("PLAIN"), []byte("en_US")))
	for {
		typ, channel, payload, err := s.frame()
		if err != nil {
			return err
		}
		if typ != 1 { // a heartbeat
			continue
		}
		r := &reader{payload}
		switch at := fmt.Sprint(r.u16(), " ", r.u16()); at {
		case "10 11": // start-ok
			r.long()
			if mechanism, response := r.short(), r.long(); mechanism != "PLAIN" || response != "\x00"+username+"\x00"+password {
				s.send(1, 0, method(10, 50, uint16(403), "ACCESS_REFUSED - Login was refused", uint16(0), uint16(0)))
				return nil
			}
			s.send(1, 0, method(10, 30, uint16(100), uint32(131072), uint16(60)))
		case "10 31", "10 51", "20 41": // tune-ok, close-oks
		case "10 40": // open
			if vhost := r.short(); vhost != "/" {
				s.send(1, 0, method(10, 50, uint16(530), "NOT_ALLOWED - vhost not found", uint16(10), uint16(40)))
				continue
			}
			s.send(1, 0, method(10, 41, ""))
		case "10 50":
			s.send(1, 0, method(10, 51))
			return nil
		case "20 10":
			s.send(1, channel, method(20, 11, []byte{}))
		case "20 40":
			s.send(1, channel, method(20, 41))
		case "85 10":
			s.send(1, channel, method(85, 11))
		case "40 10": // exchange.declare
			r.u16()
			if r.short() != "events" {
				s.send(1, channel, method(20, 40, uint16(404), "NOT_FOUND - no exchange", uint16(40), uint16(10)))
				continue
			}
			s.send(1, channel, method(40, 11))
		case "60 40":
			if err := s.publish(channel, r); err != nil {
				return err
			}
		default:
			return fmt.Errorf("method %s is none that a publisher needs", at)
		}
	}
}

// publish takes a message.
func (s *session) publish(channel uint16, r *reader) error {
	r.u16()
	m := message{exchange: r.short(), key: r.short()}
	mandatory := r.take(1)[0]&1 == 1
	_, _, head, err := s.frame()
	if err != nil {
		return err
	}
	properties := bytes.Clone(head)
	h := &reader{head}
	h.take(4)
	size := binary.BigEndian.Uint64(h.take(8))
	flags := h.u16()
	if flags&^uint16(0x8000|0x1000|0x0080|0x0040|0x0020) != 0 || !mandatory {
		return fmt.Errorf("a message with the flags %x, mandatory %v", flags, mandatory)
	}
	if flags&0x8000 != 0 {
		m.content = h.short()
	}
	if flags&0x1000 != 0 {
		m.mode = h.take(1)[0]
	}
	if flags&0x0080 != 0 {
		m.id = h.short()
	}
	if flags&0x0040 != 0 {
		m.at = binary.BigEndian.Uint64(h.take(8))
	}
	if flags&0x0020 != 0 {
		m.typ = h.short()
	}
	for uint64(len(m.body)) < size {
		_, _, part, err := s.frame()
		if err != nil {
			return err
		}
		m.body += string(part)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tag++
	switch {
	case m.exchange != "events" && m.exchange != "":
		s.send(1, channel, method(20, 40, uint16(404), "NOT_FOUND - no exchange", uint16(60), uint16(40)))
	case s.hang:
	case s.broken || s.nack != nil && s.nack(m.id):
		s.send(1, channel, method(60, 120, s.tag, byte(0)))
	case m.exchange == "" && m.key != "queue" || strings.HasPrefix(m.key, "nowhere"):
		s.send(1, channel, method(60, 50, uint16(312), "NO_ROUTE", m.exchange, m.key))
		s.send(2, channel, properties)
		if size > 0 {
			s.send(3, channel, []byte(m.body))
		}
		s.send(1, channel, method(60, 80, s.tag, byte(0)))
	default:
		s.messages = append(s.messages, m)
		s.send(1, channel, method(60, 80, s.tag, byte(0)))
	}
	return nil
}
