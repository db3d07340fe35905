package queue

import (
	"encoding/binary"
	"hash/crc32"
	"sync"
	"time"

	"github.com/klauspost/compress/s2"

	"weir/dataplane/event"
	"weir/shared/fault"
	"weir/shared/id"
)

// Frame is the events that one commit made durable, of one partition.
type Frame struct {
	Seq    uint64 // its number in EVENTS.p, 0 before it is appended
	Events []event.Event
}

// Sizes of frames.
const (
	// FrameBytes is where a frame is closed; a single larger event makes a
	// frame of its own.
	FrameBytes = 512 << 10
	// MaxPayload is what the event servers must accept in one message.
	MaxPayload = 8 << 20

	// maxRecord is the most data of one record: a payload without room for headers.
	maxRecord = MaxPayload - 64<<10
	// maxEvents is the most events of one frame. Every event takes at least
	// minEvent bytes, so FrameBytes is reached long before.
	maxEvents = 1 << 16
)

// A frame is
//
//	0      version, 1
//	1      flags: 1 = the body is compressed with s2 (block format)
//	2-5    CRC-32C of bytes 0 and 1 and of all after byte 5
//	6-9    number of events
//	10-13  size of the body before compression
//	14-    body
//
// with integers in little endian. The body is a table with, for each event, the
// end of its head and the end of its JSON (4 bytes each, counted from the start
// of the heads and of the JSON); then all heads; then all JSON. A head is a byte
// of flags (1 = Generated, 2 = Replayed, 4 = destination and detail follow),
// ReceivedAt as a varint of Unix milliseconds, then workspace, source, messageId,
// type, user, quarantine and perhaps destination and detail, each with its length
// as an uvarint before it.
const (
	frameVersion = 1
	flagS2       = 1
	flagsKnown   = flagS2
	headerSize   = 14
	tableEntry   = 8
	minEvent     = tableEntry + 8 // an entry and a head of empty fields

	eventGenerated = 1
	eventReplayed  = 2
	eventConcerns  = 4
	eventFlags     = eventGenerated | eventReplayed | eventConcerns
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// scratch holds bodies before compression, so that a frame costs no more memory
// than its result.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

// EncodeFrame returns the bytes of a frame with events. Their size must stay
// under MaxPayload less 64 KiB, which Writer sees to: DecodeFrame refuses more.
func EncodeFrame(events []event.Event) []byte { return appendFrame(nil, events) }

// appendFrame is EncodeFrame that adds to dst.
func appendFrame(dst []byte, events []event.Event) []byte {
	buf := scratch.Get().(*[]byte)
	body := appendBody((*buf)[:0], events)
	start := len(dst)
	var header [headerSize]byte
	header[0] = frameVersion
	binary.LittleEndian.PutUint32(header[6:], uint32(len(events)))
	binary.LittleEndian.PutUint32(header[10:], uint32(len(body)))
	dst = append(dst, header[:]...)

	dst = grow(dst, max(s2.MaxEncodedLen(len(body)), len(body)))
	packed := s2.Encode(dst[len(dst):cap(dst)], body)
	if len(packed) < len(body) {
		dst[start+1] = flagS2
		dst = dst[:len(dst)+len(packed)]
	} else {
		dst = append(dst, body...)
	}
	binary.LittleEndian.PutUint32(dst[start+2:], checksum(dst[start:]))

	*buf = body
	if cap(body) <= 4*FrameBytes {
		scratch.Put(buf)
	}
	return dst
}

// appendBody adds table, heads and JSON of events to dst, which must be empty.
func appendBody(dst []byte, events []event.Event) []byte {
	size := 0
	for i := range events {
		size += eventSize(&events[i])
	}
	table := len(events) * tableEntry
	dst = grow(dst, size)[:table]
	for i := range events {
		e := &events[i]
		var flags byte
		if e.Generated {
			flags |= eventGenerated
		}
		if e.Replayed {
			flags |= eventReplayed
		}
		concerns := e.Destination != "" || e.Detail != ""
		if concerns {
			flags |= eventConcerns
		}
		dst = append(dst, flags)
		dst = binary.AppendVarint(dst, e.ReceivedAt.UnixMilli())
		dst = appendText(dst, string(e.Workspace))
		dst = appendText(dst, string(e.Source))
		dst = appendText(dst, string(e.MessageID))
		dst = appendText(dst, e.Type)
		dst = appendText(dst, e.User)
		dst = appendText(dst, e.Quarantine)
		if concerns {
			dst = appendText(dst, string(e.Destination))
			dst = appendText(dst, e.Detail)
		}
		binary.LittleEndian.PutUint32(dst[i*tableEntry:], uint32(len(dst)-table))
	}
	heads := len(dst)
	for i := range events {
		dst = append(dst, events[i].JSON...)
		binary.LittleEndian.PutUint32(dst[i*tableEntry+4:], uint32(len(dst)-heads))
	}
	return dst
}

// eventSize returns how many bytes e takes in a frame at most, before compression.
func eventSize(e *event.Event) int {
	return tableEntry + 1 + binary.MaxVarintLen64 + 8*binary.MaxVarintLen32 +
		len(e.Workspace) + len(e.Source) + len(e.MessageID) + len(e.Type) + len(e.User) + len(e.Quarantine) + len(e.Destination) + len(e.Detail) + len(e.JSON)
}

func appendText(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// grow returns dst with room for n more bytes.
func grow(dst []byte, n int) []byte {
	if cap(dst)-len(dst) >= n {
		return dst
	}
	bigger := make([]byte, len(dst), len(dst)+n)
	copy(bigger, dst)
	return bigger
}

func checksum(frame []byte) uint32 {
	return crc32.Update(crc32.Checksum(frame[:2], castagnoli), castagnoli, frame[6:])
}

// DecodeFrame reads what EncodeFrame wrote. The JSON of all events share one
// buffer (data itself when it was not compressed) and their strings another: who
// keeps a single event for long should copy what it needs. Memory is bounded,
// whatever data says.
//
// fault.Invalid: data is damaged or of an unknown version.
func DecodeFrame(data []byte) (Frame, error) {
	if len(data) < headerSize {
		return Frame{}, damaged("it is shorter than its header")
	}
	if data[0] != frameVersion {
		return Frame{}, fault.New(fault.Invalid, "The frame has format version %d, known is %d.", data[0], frameVersion)
	}
	if data[1]&^flagsKnown != 0 {
		return Frame{}, damaged("it has unknown flags")
	}
	if binary.LittleEndian.Uint32(data[2:]) != checksum(data) {
		return Frame{}, damaged("its checksum is wrong")
	}
	count := int(binary.LittleEndian.Uint32(data[6:]))
	size := int(binary.LittleEndian.Uint32(data[10:]))
	if size > maxRecord || count > maxEvents || count*minEvent > size {
		return Frame{}, damaged("its sizes are out of range")
	}
	body := data[headerSize:]
	if data[1]&flagS2 != 0 {
		if n, err := s2.DecodedLen(body); err != nil || n != size {
			return Frame{}, damaged("its compressed size is wrong")
		}
		plain, err := s2.Decode(make([]byte, size), body)
		if err != nil {
			return Frame{}, damaged("it cannot be decompressed")
		}
		body = plain
	}
	if len(body) != size {
		return Frame{}, damaged("its size is wrong")
	}
	return decodeBody(body, count)
}

// decodeBody reads count events; body is long enough for their table.
func decodeBody(body []byte, count int) (Frame, error) {
	table, rest := body[:count*tableEntry], body[count*tableEntry:]
	headsEnd := uint32(0)
	if count > 0 {
		headsEnd = binary.LittleEndian.Uint32(table[(count-1)*tableEntry:])
	}
	if uint64(headsEnd) > uint64(len(rest)) {
		return Frame{}, damaged("its table is wrong")
	}
	// One copy of all heads makes every string a part of it.
	heads, json := string(rest[:headsEnd]), rest[headsEnd:]
	events := make([]event.Event, count)
	var head, text uint32
	for i := range events {
		nextHead := binary.LittleEndian.Uint32(table[i*tableEntry:])
		nextText := binary.LittleEndian.Uint32(table[i*tableEntry+4:])
		if nextHead < head || nextHead > headsEnd || nextText < text || uint64(nextText) > uint64(len(json)) {
			return Frame{}, damaged("its table is wrong")
		}
		if !decodeHead(heads[head:nextHead], &events[i]) {
			return Frame{}, damaged("an event's head is wrong")
		}
		events[i].JSON = json[text:nextText:nextText]
		head, text = nextHead, nextText
	}
	if int(text) != len(json) {
		return Frame{}, damaged("something follows its last event")
	}
	return Frame{Events: events}, nil
}

// decodeHead reads everything but JSON into e; false when head is damaged.
func decodeHead(head string, e *event.Event) bool {
	if head == "" || head[0]&^eventFlags != 0 {
		return false
	}
	e.Generated, e.Replayed = head[0]&eventGenerated != 0, head[0]&eventReplayed != 0
	r := textReader{left: head[1:], ok: true}
	at := r.uvarint()
	milli := int64(at >> 1) // zigzag, as binary.AppendVarint writes it
	if at&1 != 0 {
		milli = ^milli
	}
	e.ReceivedAt = time.UnixMilli(milli).UTC()
	e.Workspace = id.Workspace(r.text())
	e.Source = id.Source(r.text())
	e.MessageID = id.Event(r.text())
	e.Type = r.text()
	e.User = r.text()
	e.Quarantine = r.text()
	if head[0]&eventConcerns != 0 {
		e.Destination, e.Detail = id.Destination(r.text()), r.text()
	}
	return r.ok && r.left == ""
}

// textReader takes fields off a string; ok turns false where one is damaged.
type textReader struct {
	left string
	ok   bool
}

func (r *textReader) uvarint() uint64 {
	var v uint64
	for i := 0; i < len(r.left) && i < binary.MaxVarintLen64; i++ {
		b := r.left[i]
		if b < 0x80 {
			if i == binary.MaxVarintLen64-1 && b > 1 {
				break // more than 64 bits
			}
			r.left = r.left[i+1:]
			return v | uint64(b)<<(7*i)
		}
		v |= uint64(b&0x7f) << (7 * i)
	}
	r.ok, r.left = false, ""
	return 0
}

func (r *textReader) text() string {
	n := r.uvarint()
	if n > uint64(len(r.left)) {
		r.ok, r.left = false, ""
		return ""
	}
	s := r.left[:n]
	r.left = r.left[n:]
	return s
}

func damaged(why string) error {
	return fault.New(fault.Invalid, "The frame is damaged: %s.", why)
}
